//! More time for a session that is open: asked for, given, declined; through the services on both databases, and by the
//! real programs from end to end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_cloud::{
    accounts::{model::Role, rights::InstallerMember},
    activation::rule,
    sessions::{
        carry, decide, end,
        extend::{self, ExtendRefusal},
        join,
        machine::NoMoreTime,
        model::{Side, Ticket, Traffic},
        service,
    },
};
use gatelodge_proto::{
    SessionId, Timestamp,
    api::{ExtensionState, SessionState},
    payload::{Consent, EndReason, Happening, KeptEnd, Order},
};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use serde_json::Value;

use super::asked;
use crate::cast::{self, Cast};

const SOON: Duration = Duration::from_secs(60);

type Shown = (Option<Timestamp>, Option<(u32, ExtensionState)>);

/// Until when a session lasts, and what became of the latest wish.
async fn shown(cast: &Cast, id: SessionId) -> anyhow::Result<Shown> {
    let rosa = cast.user("rosa@example.com").await?;
    let view = service::one(cast.kits(), rosa.member(), id).await?.context("no such session")?.view;
    Ok((view.until, view.extension.map(|extension| (extension.minutes, extension.state))))
}

#[tokio::test]
async fn the_technician_asks_and_the_customer_gives_more_time() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (_, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        let lena = cast.installer("lena@example.com").await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let waiting = extend::ask(kits, &marc, session, 30).await;
        assert!(matches!(waiting, Err(ExtendRefusal::State(NoMoreTime::Over))), "{waiting:?}");
        decide::approve(kits, &rosa, session).await?;
        let first = shown(&cast, session).await?.0.unwrap();
        assert_eq!(service::waiting(kits, rosa.member()).await?, 0);

        extend::ask(kits, &marc, session, 30).await?;
        extend::ask(kits, &marc, session, 30).await?;
        assert_eq!(shown(&cast, session).await?, (Some(first), Some((30, ExtensionState::Asked))));
        assert_eq!(service::waiting(kits, rosa.member()).await?, 1, "for the bell");
        let mails = cast.jobs().await?;
        assert_eq!(mails.iter().filter(|job| *job == "sessions.mail_extension").count(), 1, "{mails:?}");

        for foreign in [
            extend::ask(kits, &lena, session, 30).await,
            extend::give(kits, &paul, session, 30, None).await,
            extend::decline(kits, &paul, session).await,
        ] {
            assert!(matches!(foreign, Err(ExtendRefusal::Unknown)), "{foreign:?}");
        }
        assert_eq!(shown(&cast, session).await?.0, Some(first));

        extend::give(kits, &rosa, session, 30, Some(first)).await?;
        let again = extend::give(kits, &rosa, session, 30, Some(first)).await;
        assert!(matches!(again, Err(ExtendRefusal::State(NoMoreTime::Moved))), "pressed twice: {again:?}");
        let later = first + Duration::from_secs(1800);
        assert_eq!(shown(&cast, session).await?, (Some(later), Some((30, ExtensionState::Given))));
        assert_eq!(service::waiting(kits, rosa.member()).await?, 0);
        let orders = cast.orders(prop.id).await?;
        let grant = orders.iter().find_map(|order| match order {
            Order::ExtendSession { grant, .. } => Some(grant.verify(&kits.pki.grant_public_key())),
            _ => None,
        });
        let grant = grant.expect("the device is told")?;
        assert_eq!((grant.session, grant.until, grant.lifetime_s), (session, later, 5400));
        let joined = join::join(kits, &marc, session).await?;
        assert_eq!(joined.grant.verify(&kits.pki.grant_public_key())?, grant, "whoever joins now has it, too");
        assert_eq!(joined.until, later);
        let looked = carry::supervise(kits, &[(session, Traffic::default())]).await?;
        assert_eq!((looked.over, looked.until), (vec![], vec![(session, later)]), "and so has the relay");

        let end = KeptEnd { granted: later, until: later };
        cast.happens(prop.id, Happening::SessionExtended { session, end }).await?;
        assert_eq!(shown(&cast, session).await?, (Some(later), Some((30, ExtensionState::Taken))));
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            for what in ["session_extension_asked", "session_extended", "session_extended_on_device"] {
                assert_eq!(history.iter().filter(|written| *written == what).count(), 1, "{what}: {history:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_session_without_more_time_ends_as_planned_and_one_with_it_ends_later() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let id = asked(&cast, &marc, prop).await?.id;
            decide::approve(kits, &rosa, id).await?;
            let ticket: Ticket = join::join(kits, &marc, id).await?.ticket.parse()?;
            carry::admit(kits, &ticket, Side::Technician).await?;
            extend::ask(kits, &marc, id, 45).await?;
            sessions.push(id);
        }
        let (declined, given) = (sessions[0], sessions[1]);
        extend::decline(kits, &rosa, declined).await?;
        assert_eq!(shown(&cast, declined).await?.1, Some((45, ExtensionState::Declined)));
        let twice = extend::decline(kits, &rosa, declined).await;
        assert!(matches!(twice, Err(ExtendRefusal::State(NoMoreTime::NotAsked))), "{twice:?}");
        extend::give(kits, &rosa, given, 45, None).await?;
        for _ in 0..40 {
            cast.pass(90);
            carry::supervise(kits, &[(declined, Traffic::default()), (given, Traffic::default())]).await?;
        }
        end::sweep(kits).await?;
        assert_eq!(super::state(&cast, &rosa, declined).await?, (SessionState::Ended, Some(EndReason::Expired)));
        assert_eq!(super::state(&cast, &rosa, given).await?, (SessionState::Open, None));
        let over = extend::give(kits, &rosa, declined, 45, None).await;
        assert!(matches!(over, Err(ExtendRefusal::State(NoMoreTime::Over))), "{over:?}");
        for _ in 0..30 {
            cast.pass(90);
            carry::supervise(kits, &[(given, Traffic::default())]).await?;
        }
        end::sweep(kits).await?;
        assert_eq!(super::state(&cast, &rosa, given).await?, (SessionState::Ended, Some(EndReason::Expired)));
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_gives_time_unasked_the_rule_always_gives_it_at_once_and_nobody_gives_too_much() -> anyhow::Result<()>
{
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let first = shown(&cast, session).await?.0.unwrap();
        extend::give(kits, &rosa, session, extend::UNASKED, None).await?;
        assert_eq!(shown(&cast, session).await?.0, Some(first + Duration::from_secs(1800)));
        extend::ask(kits, &marc, session, 60).await?;
        let by_rule = (Some(first + Duration::from_secs(5400)), Some((60, ExtensionState::Given)));
        assert_eq!(shown(&cast, session).await?, by_rule);
        assert!(!cast.jobs().await?.contains(&"sessions.mail_extension".to_owned()), "nobody has to be asked");
        for unfit in [0, 241] {
            let refused = extend::give(kits, &rosa, session, unfit, None).await;
            assert!(matches!(refused, Err(ExtendRefusal::Minutes(240))), "{refused:?}");
        }
        // 60 minutes at first, 90 more by now, and 720 is the longest.
        for _ in 0..2 {
            extend::give(kits, &rosa, session, 240, None).await?;
        }
        for refused in [extend::give(kits, &rosa, session, 91, None).await, extend::ask(kits, &marc, session, 91).await]
        {
            assert!(matches!(refused, Err(ExtendRefusal::State(NoMoreTime::TooLong(720)))), "{refused:?}");
        }
        extend::give(kits, &rosa, session, 90, None).await?;

        let other = asked(&cast, &marc, prop).await?.id;
        rule::set_consent(kits, &rosa, prop.id, Consent::Never).await?;
        let refused = extend::ask(kits, &marc, other, 30).await;
        assert!(matches!(refused, Err(ExtendRefusal::State(NoMoreTime::Over))), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_asks_for_more_time_is_shown_own_sessions_alone() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Always).await?;
        let nadia = cast.member(marc.member().organisation_id, Role::Technician, "nadia@example.com").await?;
        let nadia = InstallerMember::try_from(nadia).map_err(|_| anyhow::anyhow!("no installer"))?;
        let of_marc = asked(&cast, &marc, prop).await?.id;
        // Two of one moment have no order.
        cast.pass(1);
        let of_nadia = asked(&cast, &nadia, prop).await?.id;
        asked(&cast, &nadia, other).await?;
        let own = service::Wanted { device: Some(prop.id), live: true, own: true, limit: 9, ..Default::default() };
        let every = service::Wanted { own: false, ..own };
        for (by, wanted, expected) in
            [(&marc, own, vec![of_marc]), (&nadia, own, vec![of_nadia]), (&nadia, every, vec![of_nadia, of_marc])]
        {
            let found = service::list(cast.kits(), by.member(), wanted).await?;
            assert_eq!(found.into_iter().map(|session| session.view.id).collect::<Vec<_>>(), expected, "{wanted:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_asked_without_end() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        decide::approve(cast.kits(), &rosa, session).await?;
        for minutes in 1..=6 {
            extend::ask(cast.kits(), &marc, session, minutes).await?;
        }
        let refused = extend::ask(cast.kits(), &marc, session, 7).await;
        assert!(matches!(refused, Err(ExtendRefusal::Throttled(_))), "{refused:?}");
        assert_eq!(shown(&cast, session).await?.1, Some((6, ExtensionState::Asked)), "the latest wish is the one");
    }
    Ok(())
}

/// Until when the device lets its one session last, as its own status says.
async fn until_there(stage: &Stage) -> anyhow::Result<Option<Timestamp>> {
    let told = stage.agent_status().await?;
    Ok(serde_json::from_value(told.0["sessions"][0]["until"].clone()).ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn more_time_reaches_cloud_device_and_technician_by_the_real_programs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), AgentSetup::default()).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    // Less than five minutes: the first warning would be the last minute's.
    let forward = ["--json", "forward", "villa-rosa", "panel-echo", "--reason", "Yearly check", "--minutes", "4"];
    let mut forward = stage.technician.start(forward)?;
    let session = story::allow(&mut stage).await.with_context(|| forward.log())?;
    forward.wait_for_line("\"event\":\"open\"", SOON).await?;
    let first = until_there(&stage).await?.context("the device shows no session")?;

    let mut asking = stage.technician.start(["--json", "extend", "villa-rosa", "--minutes", "45"])?;
    asking.wait_for_line("\"event\":\"asked\"", SOON).await?;
    stage.customer.open("/requests").await?;
    ensure!(stage.customer.bell().await? == "1", "one wish waits");
    stage.customer.reads("asks for 45 more minutes").await?;
    stage.customer.submit(&format!("/sessions/{session}/extend"), &[]).await?;
    ensure!(asking.wait(SOON).await?.success(), "{}", asking.log());
    let line = forward.wait_for_line("\"event\":\"extended\"", SOON).await?;
    let event: Value = serde_json::from_str(line.trim())?;
    let left = event["seconds_left"].as_u64().context("no seconds left")?;
    ensure!((45 * 60..=49 * 60).contains(&left), "{line}");
    wait_until("the device shows the later end", SOON, async || {
        Ok(until_there(&stage).await?.filter(|until| *until == first + Duration::from_secs(45 * 60)))
    })
    .await?;

    let mut asking = stage.technician.start(["--json", "extend", "villa-rosa"])?;
    asking.wait_for_line("\"event\":\"asked\"", SOON).await?;
    stage.customer.open("/requests").await?;
    stage.customer.submit(&format!("/sessions/{session}/refuse-extension"), &[]).await?;
    ensure!(!asking.wait(SOON).await?.success() && asking.log().contains("gives no more time"), "{}", asking.log());

    // Unasked, from the card of the session.
    stage.customer.open("/sessions").await?;
    stage.customer.reads("Extend by 30 minutes").await?;
    stage.customer.submit(&format!("/sessions/{session}/extend"), &[]).await?;
    wait_until("the device shows the latest end", SOON, async || {
        Ok(until_there(&stage).await?.filter(|until| *until == first + Duration::from_secs(75 * 60)))
    })
    .await?;
    for (words, count) in [
        ("Asked for 45 more minutes in the session", 1),
        ("Extended the session by 45 minutes", 1),
        ("Gave no more time in the session", 1),
        ("Extended the session by 30 minutes", 1),
        ("The device lets the session last longer", 2),
    ] {
        let what = format!("both histories say {count} times `{words}`");
        wait_until(what, SOON, async || {
            let mut all = true;
            for hands in [&mut stage.customer, &mut stage.installer] {
                hands.open("/history").await?;
                all &= hands.text().await?.matches(words).count() == count;
            }
            Ok(all.then_some(()))
        })
        .await?;
    }
    stage.customer.open("/sessions").await?;
    stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await?;
    forward.wait(SOON).await?;
    let line = stage.technician.run(["extend", "villa-rosa"]).await?.refused(2)?;
    ensure!(line.contains("you have no session open with villa-rosa"), "{line}");
    Ok(())
}
