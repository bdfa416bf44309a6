//! The end that a device keeps is the one that everybody reads: where its own settings cut what was granted, or let it
//! give nothing more; through the services on both databases, and by the real programs from end to end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_cloud::sessions::{
    carry, decide,
    extend::{self, ExtendRefusal},
    join,
    machine::NoMoreTime,
    model::{Side, Ticket, Traffic},
    service,
};
use gatelodge_proto::{
    SessionId, Timestamp,
    api::{ExtensionState, SessionView},
    payload::{Consent, Happening, KeptEnd, NotLonger},
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

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

async fn view(cast: &Cast, id: SessionId) -> anyhow::Result<SessionView> {
    let rosa = cast.user("rosa@example.com").await?;
    Ok(service::one(cast.kits(), rosa.member(), id).await?.context("no such session")?.view)
}

/// Until when the cloud says that it lasts, whether that is the device's longest, and what became of the latest wish.
async fn shown(cast: &Cast, id: SessionId) -> anyhow::Result<(Option<Timestamp>, bool, Option<ExtensionState>)> {
    let view = view(cast, id).await?;
    Ok((view.until, view.longest, view.extension.map(|wish| wish.state)))
}

/// The end that a relay is told.
async fn at_the_relay(cast: &Cast, id: SessionId) -> anyhow::Result<Option<Timestamp>> {
    let looked = carry::supervise(cast.kits(), &[(id, Traffic::default())]).await?;
    Ok(looked.until.first().map(|(_, until)| *until))
}

#[tokio::test]
async fn what_a_device_cuts_is_cut_for_everybody_and_nobody_is_asked_in_vain() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        decide::approve(kits, &rosa, session).await?;
        let first = view(&cast, session).await?.until.unwrap();
        let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        let whole = KeptEnd { granted: first, until: first };
        cast.happens(prop.id, Happening::SessionJoined { session, end: whole }).await?;
        assert_eq!(shown(&cast, session).await?, (Some(first), false, None));

        extend::give(kits, &rosa, session, 30, None).await?;
        let (granted, until) = (first + minutes(30), first + minutes(12));
        // What was said of an earlier grant is over by what was given since.
        cast.happens(prop.id, Happening::SessionExtended { session, end: whole }).await?;
        assert_eq!(shown(&cast, session).await?, (Some(granted), false, Some(ExtensionState::Given)));
        for _ in 0..2 {
            cast.happens(prop.id, Happening::SessionExtended { session, end: KeptEnd { granted, until } }).await?;
            assert_eq!(shown(&cast, session).await?, (Some(until), true, Some(ExtensionState::Taken)));
            assert_eq!(at_the_relay(&cast, session).await?, Some(until));
        }
        for refused in [extend::ask(kits, &marc, session, 5).await, extend::give(kits, &rosa, session, 5, None).await] {
            assert!(matches!(refused, Err(ExtendRefusal::State(NoMoreTime::Device))), "{refused:?}");
        }
        assert_eq!(service::waiting(kits, rosa.member()).await?, 0);
        let later = KeptEnd { granted, until: granted + minutes(600) };
        cast.happens(prop.id, Happening::SessionExtended { session, end: later }).await?;
        assert_eq!(shown(&cast, session).await?.0, Some(granted), "never later than was granted");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_device_refuses_is_taken_back_with_its_reason_and_may_be_asked_again() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let first = view(&cast, session).await?.until.unwrap();
        let says = |end, reason| Happening::ExtensionRefused { session, end, reason };
        extend::ask(kits, &marc, session, 30).await?;
        let granted = first + minutes(30);
        // Nobody has joined yet: whoever does brings the newest grant.
        cast.happens(prop.id, says(None, NotLonger::NotOpen)).await?;
        assert_eq!(shown(&cast, session).await?.0, Some(granted));
        let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Device).await.unwrap_err();
        let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;

        let end = Some(KeptEnd { granted, until: first });
        cast.happens(other.id, says(None, NotLonger::NotOpen)).await?;
        assert_eq!(shown(&cast, session).await?.2, Some(ExtensionState::Given), "another device answers for itself");
        cast.happens(other.id, says(end, NotLonger::Off)).await?;
        assert_eq!(shown(&cast, session).await?.0, Some(granted), "another device has no word in it");
        cast.happens(prop.id, says(end, NotLonger::Off)).await?;
        assert_eq!(shown(&cast, session).await?, (Some(first), false, Some(ExtensionState::Refused)));
        assert_eq!(view(&cast, session).await?.extension.unwrap().refusal, Some(NotLonger::Off));
        assert_eq!(at_the_relay(&cast, session).await?, Some(first));

        extend::ask(kits, &marc, session, 30).await?;
        assert_eq!(
            shown(&cast, session).await?,
            (Some(granted), false, Some(ExtensionState::Given)),
            "switched on again"
        );
        cast.happens(prop.id, says(None, NotLonger::NotOpen)).await?;
        assert_eq!(shown(&cast, session).await?, (Some(granted), false, Some(ExtensionState::Refused)));
        assert_eq!(view(&cast, session).await?.extension.unwrap().refusal, Some(NotLonger::NotOpen));
        cast.happens(prop.id, says(end, NotLonger::Longest)).await?;
        assert_eq!(shown(&cast, session).await?, (Some(first), true, Some(ExtensionState::Refused)));
        let refused = extend::ask(kits, &marc, session, 30).await;
        assert!(matches!(refused, Err(ExtendRefusal::State(NoMoreTime::Device))), "{refused:?}");
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let rows = cast.details(organisation, prop.id, "session_extension_refused").await?;
            let mut reasons: Vec<_> = rows.iter().map(|row| row["reason"].as_str().unwrap_or_default()).collect();
            reasons.sort_unstable();
            assert_eq!(reasons, ["longest", "not_open", "off"]);
        }
    }
    Ok(())
}

/// A stage whose device lets no session last longer than that.
async fn stage(folder: &std::path::Path, max_minutes: u32) -> anyhow::Result<Stage> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let agent = AgentSetup::default().set("remote_access.max_minutes", &max_minutes.to_string());
    let mut stage = Stage::set(cloud, mails, folder.to_owned(), agent).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    Ok(stage)
}

/// The end of the one live session, as the technician's program lists it.
async fn listed(stage: &Stage) -> anyhow::Result<Timestamp> {
    let told = stage.technician.run(["--json", "sessions", "--live"]).await?.ok()?;
    let sessions: Value = serde_json::from_str(told.trim())?;
    serde_json::from_value(sessions[0]["until"].clone()).context("it has no end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cuts_more_time_is_told_as_it_is_by_the_real_programs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut stage = stage(folder.path(), 6).await?;
    let forward = ["--json", "forward", "villa-rosa", "panel-echo", "--reason", "Yearly check", "--minutes", "4"];
    let mut forward = stage.technician.start(forward)?;
    let session = story::allow(&mut stage).await.with_context(|| forward.log())?;
    forward.wait_for_line("\"event\":\"open\"", SOON).await?;
    let first = listed(&stage).await?;
    let mut asking = stage.technician.start(["extend", "villa-rosa", "--minutes", "45"])?;
    asking.wait_for_line("asked the customer for 45 more minutes", SOON).await?;
    stage.customer.open("/requests").await?;
    stage.customer.submit(&format!("/sessions/{session}/extend"), &[]).await?;
    ensure!(asking.wait(SOON).await?.success(), "{}", asking.log());
    ensure!(asking.log().contains("the device's own settings let it last no longer than that"), "{}", asking.log());
    let line = forward.wait_for_line("\"event\":\"extended\"", SOON).await?;
    let event: Value = serde_json::from_str(line.trim())?;
    let left = event["seconds_left"].as_u64().context("no seconds left")?;
    ensure!((4 * 60..=6 * 60).contains(&left), "{line}");
    let until = listed(&stage).await?;
    // The device counts from when the order reached it.
    ensure!(until > first + minutes(1) && until < first + minutes(3), "{first} {until}");
    let there = stage.agent_status().await?.0["sessions"][0]["until"].clone();
    ensure!(serde_json::from_value::<Timestamp>(there)? == until, "the device shows the same");
    stage.customer.open("/sessions").await?;
    stage.customer.reads("The device’s own settings let this session last no longer").await?;
    ensure!(!stage.customer.text().await?.contains("Extend by"), "nothing is offered that cannot be had");
    for hands in [&mut stage.customer, &mut stage.installer] {
        hands.open("/history").await?;
        hands.reads("The device lets the session last longer, but only 6 minutes in all").await?;
    }
    let again = stage.technician.run(["extend", "villa-rosa"]).await?.refused(4)?;
    ensure!(again.contains("the device's own settings let this session last no longer"), "{again}");
    drop(forward);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_more_time_is_told_as_it_is_by_the_real_programs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut stage = stage(folder.path(), 4).await?;
    let forward = ["--json", "forward", "villa-rosa", "panel-echo", "--reason", "Yearly check", "--minutes", "4"];
    let mut forward = stage.technician.start(forward)?;
    let session = story::allow(&mut stage).await.with_context(|| forward.log())?;
    forward.wait_for_line("\"event\":\"open\"", SOON).await?;
    let first = listed(&stage).await?;
    let mut asking = stage.technician.start(["extend", "villa-rosa", "--minutes", "45"])?;
    asking.wait_for_line("asked the customer for 45 more minutes", SOON).await?;
    stage.customer.open("/requests").await?;
    stage.customer.submit(&format!("/sessions/{session}/extend"), &[]).await?;
    ensure!(asking.wait(SOON).await?.code() == Some(4), "{}", asking.log());
    ensure!(asking.log().contains("but the device's own settings let the session last no longer"), "{}", asking.log());
    ensure!(listed(&stage).await? == first, "the end is the first one again");
    stage.customer.open("/sessions").await?;
    stage.customer.reads("The device’s own settings let this session last no longer").await?;
    for hands in [&mut stage.customer, &mut stage.installer] {
        hands.open("/history").await?;
        hands.reads("The device does not let the session last longer: its own settings allow no more").await?;
    }
    drop(forward);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_shorter_on_the_device_from_the_beginning_is_shown_so() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut stage = stage(folder.path(), 7).await?;
    let forward = ["--json", "forward", "villa-rosa", "panel-echo", "--reason", "Yearly check", "--minutes", "60"];
    let mut forward = stage.technician.start(forward)?;
    story::allow(&mut stage).await.with_context(|| forward.log())?;
    let line = forward.wait_for_line("\"event\":\"open\"", SOON).await?;
    let event: Value = serde_json::from_str(line.trim())?;
    let told: Timestamp = serde_json::from_value(event["until"].clone())?;
    let until = wait_until("the cloud shows the device's end", SOON, async || {
        Ok(Some(listed(&stage).await?).filter(|until| *until <= told + Duration::from_secs(30)))
    })
    .await?;
    ensure!(until + Duration::from_secs(30) >= told, "{until} {told}");
    stage.customer.open("/history").await?;
    stage.customer.reads("lets it last 7 minutes in all: its own settings allow no more").await?;
    let other = ["--json", "forward", "villa-rosa", "panel-echo", "--reason", "Another look", "--minutes", "4"];
    let mut other = stage.technician.start(other)?;
    let id = story::allow(&mut stage).await.with_context(|| other.log())?;
    other.wait_for_line("\"event\":\"open\"", SOON).await?;
    let which = stage.technician.run(["extend", "villa-rosa"]).await?.refused(2)?;
    ensure!(which.contains("you have several sessions open with villa-rosa"), "{which}");
    ensure!(which.contains(&format!("gatelodge extend villa-rosa --session {id}")), "the newest: {which}");
    let again = stage.technician.run(["extend", "villa-rosa", "--session", &id, "--minutes", "999"]).await?;
    ensure!(again.refused(4)?.contains("1 to 240 minutes at a time"), "the bound is the cloud's");
    drop(forward);
    Ok(())
}
