//! What devices say of sessions: flows, ends, and why one is not opened.

use gatelodge_cloud::sessions::{
    carry, join,
    model::{Side, Ticket, Traffic},
    service,
};
use gatelodge_proto::{
    FlowId,
    api::SessionState,
    payload::{Consent, EndReason, FlowOutcome, FlowRow, Happening, Outcome},
};

use super::{asked, state};
use crate::cast;

#[tokio::test]
async fn a_session_that_its_device_does_not_open_ends_at_once_for_that_reason() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Always).await?;
        let refused = |end| Outcome::Refused { reason: "the device has 4 sessions already".into(), end };
        let outcomes = [
            (refused(Some(EndReason::DeviceBusy)), EndReason::DeviceBusy),
            (refused(None), EndReason::Refused),
            // Whose word it is not: a device does not speak for its customer.
            (refused(Some(EndReason::Customer)), EndReason::Refused),
            (Outcome::Failed { reason: "no memory".into() }, EndReason::DeviceFault),
        ];
        for (outcome, reason) in outcomes {
            // Orders of one moment have no order.
            cast.pass(1);
            let session = asked(&cast, &marc, prop).await?.id;
            let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
            carry::admit(kits, &ticket, Side::Technician).await?;
            cast.answers_open(other.id, outcome.clone()).await?;
            assert_eq!(state(&cast, &rosa, session).await?.0, SessionState::Open, "it is not that device's to say");
            cast.answers_open(prop.id, outcome.clone()).await?;
            assert_eq!(state(&cast, &rosa, session).await?, (SessionState::Ended, Some(reason)));
            let carried = [(session, Traffic::default())];
            assert_eq!(carry::supervise(kits, &carried).await?.over, [(session, reason)], "the relay lets go");
            cast.answers_open(prop.id, outcome).await?;
            for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
                let mut tx = kits.db.read().await?;
                let rows = gatelodge_cloud::audit::read(&mut tx, organisation, Some(prop.id), None, 100).await?;
                let ends: Vec<_> = rows
                    .iter()
                    .filter(|row| row.what == "session_ended" && row.session_id == Some(session.uuid()))
                    .map(|row| row.details.0["reason"].clone())
                    .collect();
                assert_eq!(ends, [reason.word()]);
            }
        }
        cast.pass(1);
        let open = asked(&cast, &marc, prop).await?.id;
        join::join(kits, &marc, open).await?;
        cast.answers_open(prop.id, Outcome::Done).await?;
        assert_eq!(state(&cast, &rosa, open).await?.0, SessionState::Open);
    }
    Ok(())
}

#[tokio::test]
async fn what_the_device_tells_is_written_once_and_for_its_own_sessions_alone() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let flow = FlowId::make(kits.now(), &kits.random);
        let target = "tcp 127.0.0.9:80".to_owned();
        let opened = Happening::FlowOpened { session, flow, target, outcome: FlowOutcome::Opened };
        cast.happens(other.id, opened.clone()).await?;
        assert_eq!(cast.count("SELECT count(*) FROM session_flow").await?, 0);
        for _ in 0..2 {
            cast.happens(prop.id, opened.clone()).await?;
        }
        let closed = Happening::FlowClosed { session, flow, bytes_up: 10, bytes_down: 3, duration_ms: 20 };
        for _ in 0..2 {
            cast.happens(prop.id, closed.clone()).await?;
        }
        let ended = Happening::SessionEnded { session, reason: EndReason::Device, bytes_up: 10, bytes_down: 3 };
        cast.happens(prop.id, ended).await?;
        assert_eq!(state(&cast, &rosa, session).await?, (SessionState::Ended, Some(EndReason::Device)));
        let view = service::one(kits, rosa.member(), session).await?.unwrap().view;
        let flows = service::flows(kits, &view).await?;
        assert_eq!(flows.len(), 1);
        assert_eq!((flows[0].target.as_str(), flows[0].bytes_up), ("tcp 127.0.0.9:80", 10));
        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        let count = |what: &str| history.iter().filter(|known| *known == what).count();
        assert_eq!((count("flow_opened"), count("flow_closed"), count("session_ended")), (1, 1, 1), "{history:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_flow_id_of_another_session_hides_nothing() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let flow = FlowId::make(kits.now(), &kits.random);
        for target in ["tcp 192.168.1.50:80", "tcp 192.168.1.50:10001"] {
            let session = asked(&cast, &marc, prop).await?.id;
            let outcome = FlowOutcome::Opened;
            cast.happens(prop.id, Happening::FlowOpened { session, flow, target: target.into(), outcome }).await?;
            let closed = Happening::FlowClosed { session, flow, bytes_up: 10, bytes_down: 3, duration_ms: 20 };
            cast.happens(prop.id, closed).await?;
            let view = service::one(kits, rosa.member(), session).await?.unwrap().view;
            let flows = service::flows(kits, &view).await?;
            assert_eq!(flows.iter().map(|flow| flow.target.as_str()).collect::<Vec<_>>(), [target]);
        }
        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        let count = |what: &str| history.iter().filter(|known| *known == what).count();
        assert_eq!((count("flow_opened"), count("flow_closed")), (2, 2), "{history:?}");
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_come_together_are_written_once_each_into_both_histories() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let ids: Vec<_> = (0..3).map(|_| FlowId::make(kits.now(), &kits.random)).collect();
        let opened = |flow, outcome| FlowRow::Opened { flow, target: "tcp 127.0.0.9:80".into(), outcome };
        let closed = |flow| FlowRow::Closed { flow, bytes_up: 10, bytes_down: 3, duration_ms: 20 };
        let rows = vec![
            opened(ids[0], FlowOutcome::Opened),
            opened(ids[1], FlowOutcome::Refused),
            closed(ids[0]),
            opened(ids[2], FlowOutcome::Opened),
        ];
        let together = Happening::Flows { session, rows };
        cast.happens(other.id, together.clone()).await?;
        assert_eq!(cast.count("SELECT count(*) FROM session_flow").await?, 0, "not that device's session");
        for _ in 0..2 {
            cast.happens(prop.id, together.clone()).await?;
        }
        // One of them once more, alone, as from a session's process that an agent has taken over.
        cast.happens(prop.id, closed(ids[0]).alone(session)).await?;
        cast.happens(prop.id, Happening::RecordCutShort { session }).await?;
        let view = service::one(kits, rosa.member(), session).await?.unwrap().view;
        let flows = service::flows(kits, &view).await?;
        let mut shown: Vec<_> = flows.iter().map(|flow| (flow.id, flow.closed_at.is_some(), flow.bytes_up)).collect();
        shown.sort_unstable_by_key(|(id, ..)| ids.iter().position(|known| known == id));
        assert_eq!(shown, [(ids[0], true, 10), (ids[1], true, 0), (ids[2], false, 0)]);
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            let count = |what: &str| history.iter().filter(|known| *known == what).count();
            let counted = ["flow_opened", "flow_refused", "flow_closed", "session_record_cut_short"].map(count);
            assert_eq!(counted, [2, 1, 1, 1], "{history:?}");
        }
    }
    Ok(())
}
