//! The customer withdraws their consent in each phase of a session, and rights fall while somebody is inside: from that
//! moment on nothing opens, nothing lasts longer, and what is open ends.

use gatelodge_cloud::{
    accounts::rights::{CustomerMember, InstallerMember},
    activation::rule,
    devices::service as devices,
    sessions::{
        carry::{self, NotAdmitted},
        decide::{self, DecideRefusal},
        end, extend, join,
        model::{Pledge, Side, Ticket, Traffic},
    },
};
use gatelodge_proto::{
    FlowId, SessionId,
    api::SessionState,
    payload::{Consent, EndReason, FlowOutcome, Happening, Order},
};

use super::{asked, state};
use crate::cast::{self, Cast, Prop};

/// By what the technician's end of a session comes again.
fn pledged(id: SessionId) -> anyhow::Result<Pledge> {
    Ok(Pledge::of_secret(&id.uuid().simple().to_string().repeat(2))?)
}

/// How far a session has come when the customer changes their mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Asked,
    Allowed,
    Joining,
    Live,
    MoreAsked,
    Extended,
    CutOff,
}

const PHASES: [Phase; 7] =
    [Phase::Asked, Phase::Allowed, Phase::Joining, Phase::Live, Phase::MoreAsked, Phase::Extended, Phase::CutOff];

struct Scene<'a> {
    cast: &'a Cast,
    marc: &'a InstallerMember,
    rosa: &'a CustomerMember,
    prop: Prop,
}

impl Scene<'_> {
    /// A session that has come so far, and the ticket that was given for it last.
    async fn come_to(&self, phase: Phase) -> anyhow::Result<(SessionId, Option<Ticket>)> {
        let kits = self.cast.kits();
        let id = asked(self.cast, self.marc, self.prop).await?.id;
        if phase == Phase::Asked {
            return Ok((id, None));
        }
        decide::approve(kits, self.rosa, id).await?;
        if phase == Phase::Allowed {
            return Ok((id, None));
        }
        let ticket: Ticket = join::join(kits, self.marc, id).await?.ticket.parse()?;
        if phase == Phase::Joining {
            return Ok((id, Some(ticket)));
        }
        carry::admit(kits, &ticket, Side::Technician).await?;
        carry::pledge(kits, id, Side::Technician, &pledged(id)?).await?;
        let flow = FlowId::make(kits.now(), &kits.random);
        let (target, outcome) = ("tcp panel.local:80".to_owned(), FlowOutcome::Opened);
        self.cast.happens(self.prop.id, Happening::FlowOpened { session: id, flow, target, outcome }).await?;
        carry::supervise(kits, &[(id, Traffic { up: 9, down: 4 })]).await?;
        match phase {
            Phase::MoreAsked => extend::ask(kits, self.marc, id, 30).await?,
            Phase::Extended => extend::give(kits, self.rosa, id, 30, None).await?,
            // The relay has not heard of the technician's end for a minute; it may come again.
            Phase::CutOff => self.cast.pass(60),
            Phase::Asked | Phase::Allowed | Phase::Joining | Phase::Live => {}
        }
        Ok((id, None))
    }

    /// Nothing of it opens or lasts any more, whoever asks next, even before the watch has looked.
    async fn is_shut(&self, phase: Phase, id: SessionId, ticket: Option<Ticket>) -> anyhow::Result<()> {
        let kits = self.cast.kits();
        if phase == Phase::Asked {
            let late = decide::approve(kits, self.rosa, id).await;
            assert!(matches!(late, Err(DecideRefusal::Fallen)), "{phase:?}: {late:?}");
        } else {
            assert!(join::join(kits, self.marc, id).await.is_err(), "{phase:?}");
            assert!(extend::ask(kits, self.marc, id, 10).await.is_err(), "{phase:?}");
        }
        end::sweep(kits).await?;
        let ended = (SessionState::Ended, Some(EndReason::Revoked));
        assert_eq!(state(self.cast, self.rosa, id).await?, ended, "{phase:?}");
        if let Some(ticket) = ticket {
            let late = carry::admit(kits, &ticket, Side::Technician).await;
            assert!(matches!(late, Err(NotAdmitted::Over(EndReason::Revoked))), "{phase:?}: {late:?}");
        }
        if phase >= Phase::Live {
            let again = carry::admit_again(kits, &pledged(id)?, Side::Technician).await;
            assert!(again.is_err(), "{phase:?}: {again:?}");
            let looked = carry::supervise(kits, &[(id, Traffic::default())]).await?;
            assert_eq!(looked.over, [(id, EndReason::Revoked)], "{phase:?}: the relay hears of it");
        }
        let stopped =
            self.cast.orders(self.prop.id).await?.into_iter().any(
                |order| matches!(order, Order::StopSession { session, reason: EndReason::Revoked } if session == id),
            );
        assert_eq!(stopped, phase > Phase::Asked, "{phase:?}: the device is told of what was open");
        Ok(())
    }
}

#[tokio::test]
async fn consent_that_is_withdrawn_ends_a_session_in_each_of_its_phases() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        cast.reports(prop, &["panel-web"]).await?;
        let scene = Scene { cast: &cast, marc: &marc, rosa: &rosa, prop };
        for phase in PHASES {
            let (id, ticket) = scene.come_to(phase).await?;
            rule::set_consent(cast.kits(), &rosa, prop.id, Consent::Never).await?;
            scene.is_shut(phase, id, ticket).await?;
            rule::set_consent(cast.kits(), &rosa, prop.id, Consent::Ask).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_role_a_user_and_a_certificate_that_fall_end_what_is_under_way() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let vendor = cast.vendor().await?;
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        cast.reports(prop, &["panel-web"]).await?;
        let scene = Scene { cast: &cast, marc: &marc, rosa: &rosa, prop };
        let falls = async |what: &str, fall: &'static str, back: &'static str| -> anyhow::Result<()> {
            for phase in [Phase::Asked, Phase::Joining, Phase::Live] {
                let (id, _) = scene.come_to(phase).await?;
                cast.change(fall).await?;
                end::sweep(kits).await?;
                let now = state(&cast, &rosa, id).await?;
                assert_eq!(now, (SessionState::Ended, Some(EndReason::Revoked)), "{what} in {phase:?}");
                cast.change(back).await?;
            }
            Ok(())
        };
        falls(
            "role",
            "UPDATE membership SET role = 'basic' WHERE role = 'technician'",
            "UPDATE membership SET role = 'technician' WHERE role = 'basic'",
        )
        .await?;
        falls(
            "user",
            "UPDATE user_account SET disabled_at = 1 WHERE email = 'marc@example.com'",
            "UPDATE user_account SET disabled_at = NULL",
        )
        .await?;
        let (id, _) = scene.come_to(Phase::Live).await?;
        devices::revoke(kits, &vendor, prop.id).await?;
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, id).await?, (SessionState::Ended, Some(EndReason::Revoked)), "certificate");
    }
    Ok(())
}
