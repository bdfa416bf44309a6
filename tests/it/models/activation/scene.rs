//! Two installers, two customers and two devices on the stage beside their model: each act is done to both, and both
//! must tell the same.

use anyhow::{Context as _, ensure};
use gatelodge_cloud::{
    accounts::rights::{CustomerMember, InstallerMember, VendorAdministrator},
    activation::{
        amend::{self, AmendRefusal},
        confirm::{self, ConfirmRefusal},
        machine::Refusal,
        model::Claim,
        register::{self, RegisterRefusal},
        release::{self, ReleaseRefusal},
        rule::{self, RuleRefusal},
    },
    devices::service as devices,
    i18n::Language,
    kits::Kits,
    run,
};
use gatelodge_proto::{
    Timestamp,
    identity::OnSiteCode,
    payload::{Consent, Life},
};
use uuid::Uuid;

use super::{
    super::{Paths, enrolled_prop},
    ADDRESSES, Act, CODE_LIFE, DEVICES, EMAILS, Link, LinkState, Model, Shown, TRIES, Tie, Typed, Unit, Who,
};
use crate::{
    cast::{Cast, Prop, network},
    devices::{Key, enrolled, names},
};

struct Scene<'a> {
    cast: &'a Cast,
    model: Model,
    props: [Prop; DEVICES],
    installers: [InstallerMember; 2],
    vendor: VendorAdministrator,
    paths: &'a Paths,
}

fn amended(outcome: Result<(), AmendRefusal>) -> anyhow::Result<Result<(), &'static str>> {
    Ok(match outcome {
        Ok(()) => Ok(()),
        Err(AmendRefusal::Unknown) => Err("unknown"),
        Err(AmendRefusal::State(_)) => Err("state"),
        Err(AmendRefusal::SameAddress) => Err("same"),
        Err(AmendRefusal::Throttled(_)) => Err("throttled"),
        Err(other) => return Err(other.into()),
    })
}

impl Scene<'_> {
    fn kits(&self) -> &Kits {
        self.cast.kits()
    }

    async fn customer(&self, by: usize) -> anyhow::Result<CustomerMember> {
        Ok(self.cast.user(EMAILS[by]).await?.try_into()?)
    }

    async fn play(&mut self, act: &Act) -> anyhow::Result<()> {
        let now = self.kits().now();
        let next = match act {
            Act::On { device } => self.model.next(*device),
            other => other.clone(),
        };
        match next {
            // What comes next is never this.
            Act::On { .. } => {}
            Act::Show { device } => self.show(device, now).await?,
            Act::Check { by, device, code, address } => {
                let claim = self.claim(device, code, address, 0);
                let outcome = register::check(self.kits(), &self.installers[by], &network(), &claim).await;
                self.agrees(by, device, code, address, now, &outcome.map(drop))?;
            }
            Act::Save { by, device, shown, code, address, email } => {
                if shown {
                    self.show(device, now).await?;
                }
                self.save(by, device, code, address, email, now).await?;
            }
            Act::Guess { by, device } => {
                self.show(device, now).await?;
                for _ in 0..TRIES {
                    let claim = self.claim(device, Typed::Wrong, 0, 0);
                    let outcome = register::check(self.kits(), &self.installers[by], &network(), &claim).await;
                    self.agrees(by, device, Typed::Wrong, 0, now, &outcome.map(drop))?;
                }
            }
            Act::Mail { device } => {
                let open = self.model.units[device].tie.as_ref().filter(|tie| tie.owner.is_none());
                let Some(of) = open.map(|tie| tie.id) else { return Ok(()) };
                let secret = self.cast.link(of).await?;
                self.model.supersede(of);
                self.model.links.insert(0, Link { secret, of, device, made: now, state: LinkState::Fresh });
            }
            Act::Open { link } => {
                let Some(link) = self.model.links.get(link) else { return Ok(()) };
                let outcome = confirm::look(self.kits(), &link.secret).await;
                match (&outcome, Model::link_fault(link, now)) {
                    (Ok(view), None) => ensure!(view.id == link.of, "another registration"),
                    (Err(ConfirmRefusal::Link(fault)), Some(expected)) => ensure!(*fault == expected, "{fault:?}"),
                    (_, expected) => anyhow::bail!("{outcome:?}, expected {expected:?}"),
                }
            }
            Act::Confirm { link, by, consent } => self.confirm(link, by, consent, now).await?,
            Act::Resend { by, device } => {
                let by = self.model.installer(by, device);
                let outcome = amend::resend(self.kits(), &self.installers[by], self.props[device].id).await;
                let expected = self.model.open_tie(by, device).map(drop);
                let told = amended(outcome)?;
                ensure!(told == expected || told == Err("throttled"), "{told:?}, expected {expected:?}");
            }
            Act::Correct { by, device, email } => {
                self.correct(self.model.installer(by, device), device, email).await?;
            }
            Act::Cancel { by, device } => {
                let by = self.model.installer(by, device);
                let outcome = amend::cancel(self.kits(), &self.installers[by], self.props[device].id).await;
                let expected = self.model.open_tie(by, device).map(|tie| tie.id);
                ensure!(amended(outcome)? == expected.map(drop), "expected {expected:?}");
                if let Ok(id) = expected {
                    self.paths.reach("cancelled");
                    self.model.supersede(id);
                    let unit = &mut self.model.units[device];
                    unit.tie = None;
                    if unit.life != Life::Retired {
                        unit.life = Life::Enrolled;
                    }
                }
            }
            Act::Release { by, device, named } => {
                self.release(self.model.customer(by, device), device, named).await?;
            }
            Act::SetConsent { by, device, consent } => {
                let by = self.model.customer(by, device);
                if !self.model.people[by] {
                    return Ok(());
                }
                let outcome =
                    rule::set_consent(self.kits(), &self.customer(by).await?, self.props[device].id, consent).await;
                let owned = self.model.owned(by, device);
                ensure!(outcome.is_ok() == owned.is_some(), "{outcome:?}");
                if let Some(tie) = owned {
                    tie.owner = Some((by, consent));
                }
            }
            Act::Rename { by, device, address } => {
                self.rename(self.model.customer(by, device), device, address).await?;
            }
            Act::Enrol { device } => {
                let unit = &self.model.units[device];
                if unit.life == Life::Released && !unit.keyed {
                    // A key that was shut out comes never again: the device has made another.
                    let fresh = Key::make();
                    let names = names(u8::try_from(device + 1)?);
                    enrolled(fresh.enrol_by_secret(self.kits(), &names).await?);
                    let unit = &mut self.model.units[device];
                    unit.voids_codes();
                    (unit.life, unit.keyed) = (Life::Enrolled, true);
                    self.paths.reach("enrolled anew");
                }
            }
            Act::Retire { device } => {
                let outcome = devices::retire(self.kits(), &self.vendor, self.props[device].id).await;
                let unit = &mut self.model.units[device];
                ensure!(outcome.is_ok() == (unit.life != Life::Retired), "{outcome:?}");
                unit.voids_codes();
                (unit.life, unit.keyed) = (Life::Retired, false);
            }
            Act::Pass { minutes } => self.cast.pass(minutes * 60),
        }
        Ok(())
    }

    async fn show(&mut self, device: usize, now: Timestamp) -> anyhow::Result<()> {
        let code = self.cast.shows_code(self.props[device].id).await?;
        let unit = &mut self.model.units[device];
        if unit.keyed {
            if !unit.codes.last().is_some_and(|shown| shown.good && shown.until > now) {
                unit.tries = 0;
            }
            unit.voids_codes();
            unit.codes.push(Shown { code, until: now + CODE_LIFE, good: true });
        }
        Ok(())
    }

    fn claim(&self, device: usize, typed: Typed, address: usize, email: usize) -> Claim {
        let codes = &self.model.units[device].codes;
        let wrong = || OnSiteCode::make(&self.kits().random);
        let code = match typed {
            Typed::Right => codes.last().map_or_else(wrong, |shown| shown.code),
            Typed::Old => codes.iter().rev().nth(1).map_or_else(wrong, |shown| shown.code),
            Typed::Wrong => wrong(),
        };
        Cast::claim(self.props[device], code, ADDRESSES[address], EMAILS[email])
    }

    /// Holds a refusal, or the lack of one, against the model.
    fn agrees(
        &mut self,
        by: usize,
        device: usize,
        typed: Typed,
        address: usize,
        now: Timestamp,
        outcome: &Result<(), RegisterRefusal>,
    ) -> anyhow::Result<bool> {
        let told = outcome.as_ref().map_err(RegisterRefusal::word).copied();
        // Too many tries are refused before anything is asked, and change nothing.
        if told == Err("throttled") {
            return Ok(false);
        }
        let expected = self.model.examines(by, device, typed, address, now);
        ensure!(told == expected, "{outcome:?}, expected {expected:?}");
        self.paths.reach(told.err().unwrap_or("registered"));
        if typed == Typed::Old && told.is_err() {
            self.paths.reach("old code");
        }
        Ok(told.is_ok())
    }

    async fn save(
        &mut self,
        by: usize,
        device: usize,
        typed: Typed,
        address: usize,
        email: usize,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let claim = self.claim(device, typed, address, email);
        let outcome = register::save(self.kits(), &self.installers[by], &network(), &claim, None, Language::En).await;
        let (id, outcome) = match outcome {
            Ok(id) => (Some(id), Ok(())),
            Err(refusal) => (None, Err(refusal)),
        };
        if self.agrees(by, device, typed, address, now, &outcome)? {
            let unit = &mut self.model.units[device];
            unit.voids_codes();
            (unit.life, unit.tries) = (Life::Registered, 0);
            unit.tie = Some(Tie { id: id.context("no id")?, installer: by, address, email, owner: None });
            self.model.people[email] = true;
        }
        Ok(())
    }

    async fn confirm(&mut self, link: usize, who: Who, consent: Consent, now: Timestamp) -> anyhow::Result<()> {
        let Some(device) = self.model.links.get(link).map(|link| link.device) else { return Ok(()) };
        let by = self.model.customer(who, device);
        if !self.model.people[by] {
            return Ok(());
        }
        let customer = self.cast.user(EMAILS[by]).await?;
        let Link { secret, of, .. } = &self.model.links[link];
        let of = *of;
        let outcome = confirm::confirm(self.kits(), &customer, secret, Cast::confirmation(consent)).await;
        let unit = &mut self.model.units[device];
        let fault = Model::link_fault(&self.model.links[link], now);
        let Some(tie) = unit.tie.as_mut().filter(|tie| tie.id == of && fault.is_none()) else {
            let expected = fault.context("a fresh link of a registration that is over")?;
            self.paths.reach(format!("link {expected:?}"));
            ensure!(
                matches!(&outcome, Err(ConfirmRefusal::Link(told)) if *told == expected),
                "{outcome:?}, {expected:?}"
            );
            return Ok(());
        };
        if tie.email != by {
            let another = matches!(outcome, Err(ConfirmRefusal::State(Refusal::AnotherAccount)));
            ensure!(another, "{outcome:?}, expected another account");
            self.paths.reach("another account");
        } else if unit.life == Life::Retired {
            ensure!(matches!(outcome, Err(ConfirmRefusal::Device(_))), "{outcome:?}, expected the device's refusal");
        } else {
            ensure!(outcome.is_ok(), "{outcome:?}, expected an active device");
            tie.owner = Some((by, consent));
            unit.life = Life::Active;
            self.paths.reach("confirmed");
            self.model.links[link].state = LinkState::Used;
        }
        Ok(())
    }

    async fn correct(&mut self, by: usize, device: usize, email: usize) -> anyhow::Result<()> {
        let (installer, id) = (&self.installers[by], self.props[device].id);
        let outcome = amend::correct_email(self.kits(), installer, id, Cast::email(EMAILS[email]), Language::En).await;
        let told = amended(outcome)?;
        let expected =
            self.model.open_tie(by, device).and_then(|tie| if tie.email == email { Err("same") } else { Ok(tie.id) });
        ensure!(told == expected.map(drop) || told == Err("throttled"), "{told:?}, expected {expected:?}");
        if let (Ok(()), Ok(of)) = (told, expected) {
            self.paths.reach("corrected");
            self.model.supersede(of);
            self.model.people[email] = true;
            if let Some(tie) = &mut self.model.units[device].tie {
                tie.email = email;
            }
        }
        Ok(())
    }

    async fn release(&mut self, by: usize, device: usize, named: bool) -> anyhow::Result<()> {
        if !self.model.people[by] {
            return Ok(());
        }
        let address = self.model.units[device].tie.as_ref().map_or(0, |tie| tie.address);
        let typed = if named { ADDRESSES[address] } else { "villa-verde" };
        let outcome = release::release(self.kits(), &self.customer(by).await?, self.props[device].id, typed).await;
        let owned = self.model.owned(by, device).is_some();
        match &outcome {
            Ok(()) => {
                ensure!(owned && named, "released by somebody else, or by another name");
                self.paths.reach("released");
            }
            Err(ReleaseRefusal::Unknown) => ensure!(!owned, "its owner was refused"),
            Err(ReleaseRefusal::NotTheName(_)) => {
                ensure!(owned && !named, "its name was refused");
                self.paths.reach("not its name");
            }
            Err(_) => anyhow::bail!("{outcome:?}"),
        }
        if outcome.is_ok() {
            let unit = &mut self.model.units[device];
            unit.tie = None;
            if unit.life != Life::Retired {
                unit.voids_codes();
                (unit.life, unit.keyed, unit.tries) = (Life::Released, false, 0);
            }
        }
        Ok(())
    }

    async fn rename(&mut self, by: usize, device: usize, address: usize) -> anyhow::Result<()> {
        if !self.model.people[by] {
            return Ok(());
        }
        let taken = |(place, unit): (usize, &Unit)| {
            place != device && unit.tie.as_ref().is_some_and(|tie| tie.address == address)
        };
        let taken = self.model.units.iter().enumerate().any(taken);
        let to = ADDRESSES[address].parse()?;
        let outcome = rule::set_web_address(self.kits(), &self.customer(by).await?, self.props[device].id, to).await;
        match (&outcome, self.model.owned(by, device)) {
            (Ok(()), Some(tie)) if !taken => {
                tie.address = address;
                self.paths.reach("renamed");
            }
            (Err(RuleRefusal::WebAddressInUse), Some(_)) if taken => self.paths.reach("name taken"),
            (Err(RuleRefusal::Unknown), None) => {}
            (_, owned) => anyhow::bail!("{outcome:?} for {owned:?}"),
        }
        Ok(())
    }

    /// Rows and model say the same.
    async fn compare(&self) -> anyhow::Result<()> {
        let mut tx = self.kits().db.read().await?;
        for (prop, unit) in self.props.iter().zip(&self.model.units) {
            let device = devices::device(&mut tx, prop.id).await?.context("the device is gone")?;
            ensure!(device.life == unit.life, "{:?}, expected {:?}", device.life, unit.life);
            let row = run!(&mut tx, c => sqlx::query_as::<_, (Uuid, String, String, String, String)>(
                "SELECT id, state, web_address, customer_email, consent FROM registration \
                 WHERE device_id = $1 AND state IN ('open', 'active')",
            )
            .bind(prop.id.uuid())
            .fetch_optional(c))?;
            let expected = unit.tie.as_ref().map(|tie| {
                let (state, consent) = tie.owner.map_or(("open", Consent::Never), |(_, consent)| ("active", consent));
                let words = [state, ADDRESSES[tie.address], EMAILS[tie.email], consent.word()].map(str::to_owned);
                let [state, address, email, consent] = words;
                (tie.id.uuid(), state, address, email, consent)
            });
            ensure!(row == expected, "{row:?}, expected {expected:?}");
        }
        let live = run!(&mut tx, c => sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM one_time_token WHERE purpose = 'activation' AND used_at IS NULL AND superseded_at IS NULL",
        )
        .fetch_one(c))?;
        let fresh = self.model.links.iter().filter(|link| link.state == LinkState::Fresh).count();
        ensure!(usize::try_from(live)? == fresh, "{live} links are good, expected {fresh}");
        Ok(())
    }
}

pub(super) async fn goes(cast: &Cast, acts: &[Act], paths: &Paths) -> anyhow::Result<()> {
    let props = [enrolled_prop(cast, 1).await, enrolled_prop(cast, 2).await];
    let installers = [cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?];
    let mut scene = Scene { cast, model: Model::new(), props, installers, vendor: cast.vendor().await?, paths };
    for (place, act) in acts.iter().enumerate() {
        cast.pass(1);
        scene.play(act).await.with_context(|| format!("act {place}, {act:?}, from {:?}", scene.model))?;
        scene.compare().await.with_context(|| format!("after act {place}, {act:?}: {:?}", scene.model))?;
    }
    Ok(())
}
