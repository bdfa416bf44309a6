//! Two technicians, a customer and a device on the stage beside their model: each act is done to both, and both must
//! tell the same.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_cloud::{
    accounts::{
        model::Role,
        rights::{CustomerMember, InstallerMember, VendorAdministrator},
    },
    activation::{release, rule},
    change,
    devices::service as devices,
    kits::Kits,
    run,
    sessions::{
        carry::{self, NotAdmitted, Rows},
        decide::{self, DecideRefusal},
        end::{self, Stopped},
        join::{self, JoinRefusal},
        machine::Refusal,
        model::{Side, Traffic},
        relay::{Admission as _, Report},
        request::{self, RequestRefusal},
    },
};
use gatelodge_proto::{
    Timestamp,
    api::SessionRequest,
    payload::{Consent, EndReason},
};
use uuid::Uuid;

use super::{
    super::{Paths, enrolled_prop, key},
    ANSWER, Act, LEASE, MOST, Model, Session, Shown, State, TICKET,
};
use crate::cast::{Cast, Prop};

struct Scene<'a> {
    cast: &'a Cast,
    model: Model,
    prop: Prop,
    technicians: [InstallerMember; 2],
    customer: CustomerMember,
    vendor: VendorAdministrator,
    paths: &'a Paths,
}

impl Scene<'_> {
    fn kits(&self) -> &Kits {
        self.cast.kits()
    }

    async fn play(&mut self, act: &Act) -> anyhow::Result<()> {
        let now = self.kits().now();
        let next = match act {
            Act::On => self.model.next(),
            other => other.clone(),
        };
        match next {
            // What comes next is never this.
            Act::On => {}
            Act::Request { by, minutes } => self.request(by, minutes, now).await?,
            Act::Approve { session } => self.approve(session, now).await?,
            Act::Refuse { session } => {
                let Some(session) = self.model.place(session) else { return Ok(()) };
                let Session { id, state, .. } = &self.model.sessions[session];
                let outcome = decide::refuse(self.kits(), &self.customer, *id).await;
                ensure!(outcome.is_ok() == (*state == State::Waiting), "{outcome:?}");
                if outcome.is_ok() {
                    self.model.sessions[session].state = State::Refused;
                    self.paths.reach("refused");
                }
            }
            Act::Join { by, session } => self.join(by, session, now).await?,
            Act::Admit { ticket, swapped } => self.admit(ticket, swapped, now).await?,
            Act::Pair { session } => {
                let Some(session) = self.model.place(session) else { return Ok(()) };
                let Session { id, state, .. } = &self.model.sessions[session];
                if matches!(state, State::Open { joined: true, .. }) {
                    Rows(self.kits().clone()).report(Report::Paired { session: *id }).await?;
                    self.paths.reach("paired");
                }
            }
            Act::Look { session } => self.look(session, now).await?,
            Act::Drop { session } => {
                let Some(session) = self.model.place(session) else { return Ok(()) };
                let Session { id, state, .. } = &self.model.sessions[session];
                carry::ended(self.kits(), *id, EndReason::Technician, Traffic::default()).await?;
                if matches!(state, State::Open { .. }) {
                    self.model.sessions[session].state = State::Ended(EndReason::Technician);
                }
            }
            Act::StopByCustomer { session } => {
                let Some(session) = self.model.place(session) else { return Ok(()) };
                let Session { id, .. } = &self.model.sessions[session];
                let stopped = end::stop_by_customer(self.kits(), &self.customer, *id).await?;
                self.stopped(session, stopped, EndReason::Customer, true)?;
            }
            Act::StopByTechnician { by, session } => {
                let Some(session) = self.model.place(session) else { return Ok(()) };
                let Session { id, by: own, .. } = &self.model.sessions[session];
                let mine = *own == by;
                let stopped = end::stop_by_technician(self.kits(), &self.technicians[by], *id).await?;
                self.stopped(session, stopped, EndReason::Technician, mine)?;
            }
            Act::SetConsent { consent } => {
                let outcome = rule::set_consent(self.kits(), &self.customer, self.prop.id, consent).await;
                ensure!(outcome.is_ok() == self.model.owned, "{outcome:?}");
                if self.model.owned {
                    self.model.consent = consent;
                }
            }
            Act::Demote { whom } => {
                let role = Role::Basic.word();
                self.changes("UPDATE membership SET role = $2 WHERE user_id = $1", whom, role).await?;
                self.model.may[whom] = false;
            }
            Act::Disable { whom } => {
                self.changes("UPDATE user_account SET disabled_at = created_at, phone = $2 WHERE id = $1", whom, "")
                    .await?;
                self.model.may[whom] = false;
            }
            Act::Revoke => {
                devices::revoke(self.kits(), &self.vendor, self.prop.id).await?;
                self.model.keyed = false;
            }
            Act::Release => {
                let outcome = release::release(self.kits(), &self.customer, self.prop.id, "villa-rosa").await;
                ensure!(outcome.is_ok() == self.model.owned, "{outcome:?}");
                (self.model.owned, self.model.keyed) = (false, false);
            }
            Act::Sweep => {
                let (ended, expected) = (end::sweep(self.kits()).await?, self.model.sweep(now));
                ensure!(ended == expected, "{ended} ended, expected {expected}");
            }
            Act::Pass { seconds } => self.cast.pass(seconds),
        }
        Ok(())
    }

    async fn request(&mut self, by: usize, minutes: u32, now: Timestamp) -> anyhow::Result<()> {
        let wish = SessionRequest {
            device: self.prop.id,
            services: vec!["panel-web".parse()?],
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            reason: None,
            ticket_number: None,
            break_glass: false,
            minutes,
            csr: key(3).csr(),
        };
        let outcome = request::request(self.kits(), &self.technicians[by], wish).await;
        let live = self.model.sessions.iter().filter(|session| session.state.is_live()).count();
        let view = match outcome {
            Ok(session) => session.view,
            Err(RequestRefusal::UnknownDevice) if !self.model.owned => {
                self.paths.reach("gone");
                return Ok(());
            }
            // Asking too often is refused before the rule is asked.
            Err(RequestRefusal::Throttled(_)) => return Ok(()),
            Err(RequestRefusal::Busy) if self.model.owned && live >= MOST => {
                self.paths.reach("busy");
                return Ok(());
            }
            Err(other) => return Err(other).with_context(|| format!("with {live} live sessions")),
        };
        ensure!(self.model.owned && live < MOST, "a request that should have been refused");
        let state = match self.model.consent {
            Consent::Never => State::Refused,
            Consent::Ask | Consent::Always => State::Waiting,
        };
        self.model.sessions.push(Session { id: view.id, by, minutes, requested: now, state });
        if self.model.consent == Consent::Always {
            self.model.open(self.model.sessions.len() - 1, false, now);
        }
        Ok(())
    }

    async fn approve(&mut self, place: usize, now: Timestamp) -> anyhow::Result<()> {
        let Some(place) = self.model.place(place) else { return Ok(()) };
        let Session { id, state, requested, .. } = &self.model.sessions[place];
        let (state, stale) = (*state, now >= *requested + ANSWER);
        let outcome = decide::approve(self.kits(), &self.customer, *id).await;
        let barred = !self.model.owned || self.model.consent == Consent::Never;
        let expected = match (state, &outcome) {
            (State::Waiting, Err(DecideRefusal::State(Refusal::Ended))) if stale => {
                self.paths.reach("approved too late");
                State::Ended(EndReason::Expired)
            }
            (State::Waiting, Err(DecideRefusal::Fallen)) if barred && !stale => {
                self.paths.reach("barred");
                State::Ended(EndReason::Revoked)
            }
            (State::Waiting, Ok(())) if !barred && !stale => {
                self.model.open(place, true, now);
                self.paths.reach("approved");
                return Ok(());
            }
            (State::Open { .. }, Err(DecideRefusal::State(Refusal::AlreadyOpen)))
            | (State::Refused, Err(DecideRefusal::State(Refusal::Refused)))
            | (State::Ended(_), Err(DecideRefusal::State(Refusal::Ended))) => state,
            _ => anyhow::bail!("{outcome:?}"),
        };
        if matches!(state, State::Open { .. }) {
            self.paths.reach("already open");
        }
        self.model.sessions[place].state = expected;
        Ok(())
    }

    async fn join(&mut self, by: usize, place: usize, now: Timestamp) -> anyhow::Result<()> {
        let Some(place) = self.model.place(place) else { return Ok(()) };
        let session = &self.model.sessions[place];
        let outcome = join::join(self.kits(), &self.technicians[by], session.id).await;
        let stands = self.model.owned && self.model.consent != Consent::Never;
        let late = session.state.lapsed(session.requested, now).is_some();
        match (&outcome, session.state) {
            (Err(JoinRefusal::Unknown), _) if session.by != by => self.paths.reach("somebody else's"),
            (Ok(join), State::Open { .. }) if session.by == by && stands && !late => {
                let ticket = join.ticket.parse()?;
                self.paths.reach("joined");
                self.model.tickets.insert(0, Shown { ticket, session: place, made: now, used: false });
            }
            (Err(JoinRefusal::State(Refusal::Ended)), State::Open { .. }) if !stands || late => {
                self.paths.reach("not joined");
            }
            (Err(JoinRefusal::State(Refusal::Waiting)), State::Waiting)
            | (Err(JoinRefusal::State(Refusal::Refused)), State::Refused)
            | (Err(JoinRefusal::State(Refusal::Ended)), State::Ended(_)) => {}
            _ => anyhow::bail!("{:?}", outcome.map(|join| join.until)),
        }
        Ok(())
    }

    async fn admit(&mut self, place: usize, swapped: bool, now: Timestamp) -> anyhow::Result<()> {
        let Some(shown) = self.model.tickets.get_mut(place) else { return Ok(()) };
        let side = if swapped { Side::Device } else { Side::Technician };
        let outcome = carry::admit(self.cast.kits(), &shown.ticket, side).await;
        let good = !shown.used && now < shown.made + TICKET;
        if swapped {
            self.paths.reach("swapped");
        } else if !good {
            self.paths.reach(if shown.used { "ticket used" } else { "ticket too late" });
        }
        shown.used |= good;
        let session = &mut self.model.sessions[shown.session];
        let standing = session.state.lapsed(session.requested, now).is_none();
        match (&outcome, &mut session.state) {
            (Err(NotAdmitted::Unknown), _) if !good || swapped => {}
            (Ok(admitted), State::Open { lease, joined, .. }) if good && !swapped && standing => {
                ensure!(admitted.session == session.id, "into another session");
                (*lease, *joined) = (now + LEASE, true);
                self.paths.reach("admitted");
            }
            (Err(NotAdmitted::Over(_)), state) if good && !swapped => {
                ensure!(!matches!(state, State::Open { .. }) || !standing, "kept out of an open session");
                self.paths.reach("over");
            }
            (_, state) => anyhow::bail!("{outcome:?} into {state:?}"),
        }
        Ok(())
    }

    /// What a relay does each second for a session that it carries.
    async fn look(&mut self, place: usize, now: Timestamp) -> anyhow::Result<()> {
        let Some(place) = self.model.place(place) else { return Ok(()) };
        let session = &mut self.model.sessions[place];
        if matches!(session.state, State::Open { joined: false, .. }) {
            return Ok(());
        }
        let over = carry::supervise(self.cast.kits(), &[(session.id, Traffic::default())]).await?.over;
        match &mut session.state {
            State::Open { lease, .. } => {
                ensure!(over.is_empty(), "{over:?}");
                if *lease + Duration::from_secs(5) < now + LEASE {
                    *lease = now + LEASE;
                    self.paths.reach("lease renewed");
                }
            }
            State::Ended(reason) => ensure!(over == [(session.id, *reason)], "{over:?}"),
            State::Waiting | State::Refused => ensure!(over == [(session.id, EndReason::Revoked)], "{over:?}"),
        }
        Ok(())
    }

    fn stopped(&mut self, place: usize, stopped: Stopped, reason: EndReason, mine: bool) -> anyhow::Result<()> {
        let state = &mut self.model.sessions[place].state;
        let expected = match (mine, state.is_live()) {
            (false, _) => Stopped::Unknown,
            (true, true) => Stopped::Now,
            (true, false) => Stopped::WasOver,
        };
        ensure!(stopped == expected, "{stopped:?}, expected {expected:?}");
        if stopped == Stopped::WasOver {
            self.paths.reach("was over");
        }
        if stopped == Stopped::Now {
            *state = State::Ended(reason);
        }
        Ok(())
    }

    /// Somebody of the installer changes a technician.
    async fn changes(&self, statement: &'static str, whom: usize, value: &str) -> anyhow::Result<()> {
        let mut tx = self.kits().db.write().await?;
        change!(&mut tx, c => sqlx::query(statement)
            .bind(self.technicians[whom].member().user_id.uuid())
            .bind(value)
            .execute(c))?;
        Ok(tx.commit().await?)
    }

    /// Rows and model say the same.
    async fn compare(&self) -> anyhow::Result<()> {
        let mut tx = self.kits().db.read().await?;
        for session in &self.model.sessions {
            let (state, reason, opened, until, lease) = run!(&mut tx, c => sqlx::query_as::<_, (String, Option<String>, Option<i64>, Option<i64>, Option<i64>)>(
                    "SELECT state, end_reason, opened_at, until, lease_until FROM remote_session WHERE id = $1",
                )
                .bind(session.id.uuid())
                .fetch_one(c))?;
            let (word, end) = session.state.word();
            if let Some(end) = end {
                self.paths.reach(format!("ended {}", end.word()));
            }
            ensure!(state == word.word() && reason.as_deref() == end.map(EndReason::word), "{state}, {reason:?}");
            if let State::Open { since, until: last, lease: kept, .. } = session.state {
                let times = [Some(since.micros()), Some(last.micros()), Some(kept.micros())];
                ensure!([opened, until, lease] == times, "{opened:?}, {until:?}, {lease:?}, expected {times:?}");
            }
        }
        let rows = run!(&mut tx, c => sqlx::query_scalar::<_, Uuid>("SELECT id FROM remote_session").fetch_all(c))?;
        ensure!(rows.len() == self.model.sessions.len(), "{} sessions", rows.len());
        Ok(())
    }
}

pub(super) async fn go(cast: &Cast, (rule, acts): &(Consent, Vec<Act>), paths: &Paths) -> anyhow::Result<()> {
    let marc = cast.installer("marc@example.com").await?;
    let ann = cast.member(marc.member().organisation_id, Role::Technician, "ann@example.com").await?.try_into()?;
    let vendor = cast.vendor().await?;
    let prop = enrolled_prop(cast, 1).await;
    let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
    let customer = cast.confirms(registration, "rosa@example.com", *rule).await?;
    cast.reports(prop, &["panel-web"]).await?;
    let model =
        Model { sessions: Vec::new(), tickets: Vec::new(), consent: *rule, owned: true, keyed: true, may: [true; 2] };
    let mut scene = Scene { cast, model, prop, technicians: [marc, ann], customer, vendor, paths };
    for (place, act) in acts.iter().enumerate() {
        cast.pass(1);
        scene.play(act).await.with_context(|| format!("act {place}, {act:?}, from {:?}", scene.model))?;
        scene.compare().await.with_context(|| format!("after act {place}, {act:?}: {:?}", scene.model))?;
    }
    // What a running cloud does every two seconds, so that nothing is late.
    scene.play(&Act::Sweep).await?;
    scene.compare().await
}
