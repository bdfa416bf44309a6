//! Ends that vanish, and come again or do not.

use super::*;

/// One end of version 1 in the place of `old`.
async fn paired_with_old(old: Role) -> (Book, Leg, Leg) {
    let book = Book::with(&["device", "technician"]);
    let (_relay, address) = relay(Settings::default(), &book).await;
    let version = |role| if role == old { 1 } else { VERSION };
    let mut device = Leg::of_version(address, version(Role::Device), Role::Device, "device").await;
    let mut technician = Leg::of_version(address, version(Role::Technician), Role::Technician, "technician").await;
    let up = |frame| matches!(frame, Some(RelayFrame::PeerUp { .. }));
    assert!(up(device.hear().await) && up(technician.hear().await));
    (book, device, technician)
}

#[tokio::test]
async fn an_end_of_version_1_that_vanishes_ends_the_session() {
    for old in [Role::Device, Role::Technician] {
        let (book, device, mut technician) = paired_with_old(old).await;
        drop(device);
        assert_eq!(technician.hear().await, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 0 }));
        assert_eq!(book.ended().await.0, EndReason::RelayLost);
    }
}

#[tokio::test]
async fn an_end_that_vanishes_comes_again_and_nothing_of_before_reaches_it() {
    let (book, relay, device, mut technician) = paired(Settings::default()).await;
    let address = device.1;
    drop(device);
    assert_eq!(technician.hear().await, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 90_000 }));
    technician.say(data(0, b"to nobody")).await;
    assert_eq!(relay.live().len(), 1, "the session goes on");
    let mut device = Leg::again(address, Role::Device).await;
    let epoch = device.up().await;
    assert_eq!(technician.up().await, epoch);
    for frame in [RelayFrame::Sync { epoch, next: 0 }, data(0, b"again")] {
        technician.say(frame.clone()).await;
        assert_eq!(device.hear().await, Some(frame));
    }
    assert!(!book.reports().iter().any(|report| matches!(report, Report::Ended { .. })));
    assert_eq!(book.reports().iter().filter(|report| matches!(report, Report::Paired { .. })).count(), 2);
    assert_eq!(relay.live()[0].carried, Carried { up: 0, down: 5 });
}

#[tokio::test]
async fn an_end_that_comes_again_before_its_loss_is_seen_takes_its_place() {
    let (_book, _relay, mut device, mut technician) = paired(Settings::default()).await;
    let mut next = Leg::again(device.1, Role::Device).await;
    let epoch = next.up().await;
    assert_eq!(device.hear().await, None, "the older one is let go");
    while technician.hear().await != Some(RelayFrame::PeerUp { version: VERSION, epoch }) {}
    technician.say(data(0, b"here")).await;
    assert_eq!(next.hear().await, Some(data(0, b"here")));
}

#[tokio::test]
async fn an_end_that_does_not_come_again_in_time_ends_the_session() {
    let times = Settings { back_within: Duration::from_millis(50), ..Settings::default() };
    let (book, _relay, device, mut technician) = paired(times).await;
    drop(device);
    assert_eq!(technician.hear().await, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 50 }));
    assert_eq!(technician.hear().await, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 0 }));
    assert_eq!(book.ended().await.0, EndReason::RelayLost);

    let (book, relay, device, technician) = paired(times).await;
    drop((device, technician));
    assert_eq!(book.ended().await.0, EndReason::RelayLost);
    assert!(relay.live().is_empty(), "nor does one that both ends have left");
}

#[tokio::test]
async fn a_secret_that_nobody_pledged_looks_like_an_unknown_ticket() {
    let (_book, _relay, device, _technician) = paired(Settings::default()).await;
    let mut stranger = Leg::dial(device.1, Role::Technician).await;
    let (version, ticket) = (VERSION, "technician".to_owned());
    let hello = Hello { version, role: Role::Device, carrier: 0, ticket, resume: Some(0), pledge: None };
    stranger.say(RelayFrame::Hello(hello)).await;
    assert_eq!(stranger.hear().await, Some(RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }));
}

#[tokio::test]
async fn an_end_that_comes_again_to_a_relay_that_has_just_started_waits_as_long_and_ends_for_the_same_reason() {
    // At a relay that does not know that both were here, the end would be that nobody ever joined.
    let times = Settings {
        peer_within: Duration::from_millis(50),
        back_within: Duration::from_millis(100),
        ..Settings::default()
    };
    let book = Book::default();
    let (_relay, address) = relay(times, &book).await;
    let mut technician = Leg::again(address, Role::Technician).await;
    assert_eq!(technician.hear().await, Some(RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms: 0 }));
    assert_eq!(book.ended().await.0, EndReason::RelayLost);
}
