//! Break-glass: who may enter in an emergency without an answer, for how long, who is told, and what ends it.

use std::time::Duration;

use gatelodge_cloud::{
    accounts::{model::Role, rights::InstallerMember},
    activation::rule,
    sessions::{
        break_glass::NoBreakGlass,
        emergency, end, extend,
        request::{self, RequestRefusal},
        service,
    },
};
use gatelodge_proto::{
    api::{ExtensionState, SessionRequest, SessionState},
    opening::BreakGlass,
    payload::{Consent, EndReason},
};

use super::{asked, state, wish};
use crate::cast::{self, Prop};

fn emergency(prop: Prop) -> SessionRequest {
    SessionRequest { break_glass: true, minutes: 120, reason: Some("the hall is under water".into()), ..wish(prop) }
}

#[tokio::test]
async fn who_was_agreed_to_enters_without_an_answer_for_an_hour_and_everybody_is_told() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let office = marc.member().organisation_id;
        let lea: InstallerMember = cast.member(office, Role::Supervisor, "lea@example.com").await?.try_into()?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        cast.reports(prop, &["panel-web"]).await?;

        // Off unless the customer has agreed; the role that they named, and a reason.
        let refused = request::request(kits, &marc, emergency(prop)).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::BreakGlass(NoBreakGlass::NotAgreed)), "{refused}");
        rule::set_break_glass(kits, &rosa, prop.id, Some(BreakGlass::Supervisor)).await?;
        let refused = request::request(kits, &marc, emergency(prop)).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::BreakGlass(NoBreakGlass::NotYou)), "{refused}");
        let unsaid = SessionRequest { reason: Some("  ".into()), ..emergency(prop) };
        let refused = request::request(kits, &lea, unsaid).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::BreakGlass(NoBreakGlass::NoReason)), "{refused}");
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting, "without it the customer is asked");

        let opened = request::request(kits, &lea, emergency(prop)).await?.view;
        assert_eq!((opened.state, opened.break_glass), (SessionState::Open, true));
        assert_eq!(opened.until, Some(kits.now() + Duration::from_secs(3_600)), "an hour, whatever was asked for");
        let told = cast.jobs().await?.into_iter().filter(|kind| kind == "sessions.mail_break_glass").count();
        assert_eq!(told, 2, "the customer, and who leads the installer");
        for organisation in [office, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            assert!(history.contains(&"session_break_glass".to_owned()), "{history:?}");
        }
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, opened.id).await?.0, SessionState::Open, "the rule *ask* does not end it");

        // More time is the customer's to give.
        extend::ask(kits, &lea, opened.id, 30).await?;
        let wished = service::one(kits, rosa.member(), opened.id).await?.expect("it is theirs").view.extension;
        assert_eq!(wished.map(|wish| wish.state), Some(ExtensionState::Asked));

        // Whoever loses the role is out.
        cast.change("UPDATE membership SET role = 'technician' WHERE role = 'supervisor'").await?;
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, opened.id).await?, (SessionState::Ended, Some(EndReason::Revoked)));
    }
    Ok(())
}

#[tokio::test]
async fn never_an_emergency_stop_and_a_withdrawn_agreement_are_stronger() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        cast.reports(prop, &["panel-web"]).await?;
        rule::set_break_glass(kits, &rosa, prop.id, Some(BreakGlass::Technician)).await?;

        rule::set_consent(kits, &rosa, prop.id, Consent::Never).await?;
        let refused = request::request(kits, &marc, emergency(prop)).await?.view;
        assert_eq!((refused.state, refused.break_glass), (SessionState::Refused, false));

        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;
        let ruled = request::request(kits, &marc, emergency(prop)).await?.view;
        assert_eq!((ruled.state, ruled.break_glass), (SessionState::Open, false), "the rule opens: no glass is broken");
        end::stop_by_customer(kits, &rosa, ruled.id).await?;

        rule::set_consent(kits, &rosa, prop.id, Consent::Ask).await?;
        let inside = request::request(kits, &marc, emergency(prop)).await?.view.id;
        rule::set_break_glass(kits, &rosa, prop.id, None).await?;
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, inside).await?, (SessionState::Ended, Some(EndReason::Revoked)));

        rule::set_break_glass(kits, &rosa, prop.id, Some(BreakGlass::Technician)).await?;
        let inside = request::request(kits, &marc, emergency(prop)).await?.view.id;
        rule::set_consent(kits, &rosa, prop.id, Consent::Never).await?;
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, inside).await?, (SessionState::Ended, Some(EndReason::Revoked)));
        rule::set_consent(kits, &rosa, prop.id, Consent::Ask).await?;

        let vera = cast.vendor().await?;
        let (stop, _) = emergency::stop(kits, &vera, emergency::Scope::Everybody, "a key was stolen").await?;
        let refused = request::request(kits, &marc, emergency(prop)).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::Stopped(_)), "{refused}");
        emergency::lift(kits, &vera, stop).await?;
        assert_eq!(request::request(kits, &marc, emergency(prop)).await?.view.state, SessionState::Open);
        // Three in a day: an emergency is no habit.
        let often = request::request(kits, &marc, emergency(prop)).await.unwrap_err();
        assert!(matches!(often, RequestRefusal::BreakGlass(NoBreakGlass::Throttled(_))), "{often}");
    }
    Ok(())
}
