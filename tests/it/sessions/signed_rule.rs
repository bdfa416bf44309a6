//! The customer's rule as their passkey has signed it: what it opens on a device that holds the key, what it does not, and
//! what the portal makes of a rule that is narrower or wider than what was signed.

use std::time::Duration;

use anyhow::Context as _;
use gatelodge_cloud::{
    accounts::rights::CustomerMember,
    activation::{
        hand_over,
        rule::{self, OpenFor, RuleChange, WholeRule},
        service,
    },
    sessions::{
        break_glass::NoBreakGlass,
        end, join,
        key::{self, KeyRefusal, RuleWords},
        request::{self, RequestRefusal},
    },
};
use gatelodge_proto::{
    DeviceId, Timestamp,
    api::{SessionRequest, SessionState},
    consent::{ConsentKind, Proof, StandingRule},
    opening::{BreakGlass, Day, OpenHours, TimeOfDay, Window},
    payload::{Consent, EndReason, Order},
};
use gatelodge_tests::passkey::Passkey;

use super::{
    asked,
    own_key::{Pinned, pinned, signed, view},
    state, wish,
};
use crate::cast::{self, Cast, Prop};

/// The change as the portal's page makes it: shown, signed, kept.
async fn sign(
    cast: &Cast,
    by: &CustomerMember,
    device: DeviceId,
    passkey: &Passkey,
    change: &RuleChange,
) -> anyhow::Result<StandingRule> {
    let kits = cast.kits();
    let (text, options) = begin(cast, by, device, change).await?;
    cast.pass(30);
    let said = key::sign_rule(kits, by, device, &text, &signed(passkey, &options)?).await?;
    let (installer, consent, opening) = (said.installer, said.consent, said.opening.clone());
    rule::set_signed(kits, by, device, WholeRule { installer, consent, opening }).await?;
    Ok(said)
}

async fn begin(
    cast: &Cast,
    by: &CustomerMember,
    device: DeviceId,
    change: &RuleChange,
) -> anyhow::Result<(String, serde_json::Value)> {
    let words = after(cast, by, device, change).await?;
    Ok(key::begin_rule(cast.kits(), by, device, words).await?)
}

async fn after(cast: &Cast, by: &CustomerMember, device: DeviceId, change: &RuleChange) -> anyhow::Result<RuleWords> {
    let view = service::one(cast.kits(), by.member(), device).await?.context("no device of theirs")?;
    let after = rule::after(cast.kits(), by, device, view.installer, change).await?;
    let WholeRule { installer, consent, opening } = after;
    Ok(RuleWords { installer, consent, opening })
}

async fn proof(cast: &Cast, prop: Prop) -> anyhow::Result<Option<Proof>> {
    let orders = cast.orders(prop.id).await?;
    let mut opened = orders.into_iter().filter_map(|order| match order {
        Order::OpenSession(order) => Some(order.proof.map(|proof| *proof)),
        _ => None,
    });
    opened.next_back().context("nothing was opened")
}

#[tokio::test]
async fn a_signed_rule_opens_what_it_names_and_goes_along_as_the_proof() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let Pinned { passkey, .. } = pinned(&cast, prop.id).await?;
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting, "not signed yet");

        let said = sign(&cast, &rosa, prop.id, &passkey, &RuleChange::None).await?;
        assert_eq!(said.installer, marc.member().organisation_id);
        let told = cast.orders(prop.id).await?;
        assert!(told.iter().any(|order| matches!(order, Order::StandingRule { .. })), "{told:?}");
        let open = asked(&cast, &marc, prop).await?;
        assert_eq!((open.state, open.consent_kind), (SessionState::Open, Some(ConsentKind::StandingRule)));
        join::join(kits, &marc, open.id).await?;
        let Some(Proof::Standing { rule: carried }) = proof(&cast, prop).await? else { panic!("no rule is carried") };
        assert_eq!(carried.read()?, said);

        // A service that came later is not in it.
        cast.reports(prop, &["panel-web", "nas"]).await?;
        let wider = SessionRequest { services: vec!["nas".parse()?], ..wish(prop) };
        assert_eq!(request::request(kits, &marc, wider).await?.view.state, SessionState::Waiting);

        // The portal's rule is narrowed without a signature: nobody is let in by what was signed, and who is inside is out.
        rule::set(kits, &rosa, prop.id, None, &RuleChange::Consent(Consent::Ask, None)).await?;
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting);
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, open.id).await?, (SessionState::Ended, Some(EndReason::Revoked)));

        // The other way round neither: the device would refuse it.
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::None).await?;
        rule::set(kits, &rosa, prop.id, None, &RuleChange::Consent(Consent::Always, None)).await?;
        cast.pass(3_601);
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting);
    }
    Ok(())
}

#[tokio::test]
async fn hours_openings_and_emergencies_hold_as_they_were_signed() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let Pinned { passkey, .. } = pinned(&cast, prop.id).await?;
        let urgent = || SessionRequest { break_glass: true, reason: Some("water in the cabinet".into()), ..wish(prop) };

        // An emergency needs the key's word, too.
        rule::set(kits, &rosa, prop.id, None, &RuleChange::BreakGlass(Some(BreakGlass::Technician))).await?;
        let refused = request::request(kits, &marc, urgent()).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::BreakGlass(NoBreakGlass::Pinned)), "{refused}");
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::BreakGlass(Some(BreakGlass::Technician))).await?;
        let broken = request::request(kits, &marc, urgent()).await?.view;
        assert_eq!((broken.state, broken.consent_kind), (SessionState::Open, Some(ConsentKind::BreakGlass)));
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting, "else the customer is asked");
        cast.pass(3_601);
        end::sweep(kits).await?;

        // Two hours from now on, then the rule again.
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::Open(Some(OpenFor::TwoHours))).await?;
        let open = asked(&cast, &marc, prop).await?;
        assert_eq!((open.state, open.consent_kind), (SessionState::Open, Some(ConsentKind::StandingRule)));
        cast.pass(3_600 * 2);
        end::sweep(kits).await?;
        assert_eq!(asked(&cast, &marc, prop).await?.state, SessionState::Waiting);
        cast.pass(3_601);
        end::sweep(kits).await?;

        // Hours that hold now, and end a session before it would.
        let clock = |at: Timestamp| {
            let minutes = at.micros() / 60_000_000 % (24 * 60);
            format!("{:02}:{:02}", minutes / 60, minutes % 60).parse::<TimeOfDay>()
        };
        let (from, until) = (clock(kits.now())?, clock(kits.now() + Duration::from_secs(20 * 60))?);
        let window = Window { days: Day::ALL.to_vec(), from, until };
        let hours = OpenHours { zone: "Etc/UTC".parse()?, windows: vec![window] };
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::Consent(Consent::Always, Some(hours))).await?;
        let short = asked(&cast, &marc, prop).await?;
        assert_eq!((short.state, short.consent_kind), (SessionState::Open, Some(ConsentKind::StandingRule)));
        assert!(short.until.context("an end")?.since(kits.now()) <= Duration::from_secs(20 * 60));
        cast.pass(20 * 60);
        end::sweep(kits).await?;
        assert_ne!(view(&cast, short.id).await?.state, SessionState::Open);

        // The history tells what was signed.
        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        for told in ["break_glass_agreed", "device_opened", "consent_hours_changed"] {
            assert_eq!(history.iter().filter(|what| *what == told).count(), 1, "{told}: {history:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_rule_counts_when_it_is_signed_in_time_by_the_pinned_key_for_this_installer() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let always = RuleChange::Consent(Consent::Always, None);
        let words = after(&cast, &rosa, prop.id, &always).await?;
        let none = key::begin_rule(kits, &rosa, prop.id, words).await;
        assert!(matches!(none, Err(KeyRefusal::NoKey)), "{none:?}");

        let Pinned { passkey, .. } = pinned(&cast, prop.id).await?;
        let (text, options) = begin(&cast, &rosa, prop.id, &always).await?;
        let (other, _) = begin(&cast, &rosa, prop.id, &RuleChange::Open(Some(OpenFor::Day))).await?;
        let credential = signed(&passkey, &options)?;
        let stranger = Passkey::make("localhost", "https://localhost")?;
        for (what, text, credential) in [
            ("another passkey", &text, signed(&stranger, &options)?),
            ("another rule", &other, credential.clone()),
            ("nothing", &text, String::new()),
        ] {
            let refused = key::sign_rule(kits, &rosa, prop.id, text, &credential).await;
            assert!(matches!(refused, Err(KeyRefusal::NotSigned(_))), "{what}: {refused:?}");
        }
        cast.pass(16 * 60);
        let late = key::sign_rule(kits, &rosa, prop.id, &text, &credential).await;
        assert!(matches!(late, Err(KeyRefusal::Late)), "{late:?}");
        assert!(!cast.orders(prop.id).await?.iter().any(|order| matches!(order, Order::StandingRule { .. })));

        // Whoever takes over is let in by no rule that was signed for the one before.
        sign(&cast, &rosa, prop.id, &passkey, &always).await?;
        hand_over::offer(kits, &rosa, prop.id, &"lena@example.com".parse()?).await?;
        let link = crate::hand_over::link(&cast, &rosa, prop).await?;
        hand_over::take_over(kits, &lena, &link).await?;
        rule::set(kits, &rosa, prop.id, None, &always).await?;
        assert_eq!(asked(&cast, &lena, prop).await?.state, SessionState::Waiting);
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::None).await?;
        assert_eq!(asked(&cast, &lena, prop).await?.state, SessionState::Open);

        // Pinned anew, it is forgotten.
        let Pinned { passkey, .. } = pinned(&cast, prop.id).await?;
        let held = key::of(kits, rosa.member(), prop.id).await?.context("it is theirs")?;
        assert_eq!(held.rule, None);
        sign(&cast, &rosa, prop.id, &passkey, &RuleChange::None).await?;
        assert_eq!(asked(&cast, &lena, prop).await?.state, SessionState::Open);
    }
    Ok(())
}
