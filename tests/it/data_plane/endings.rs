//! A session ends when it has to, everywhere at once, and both ends know why.

use std::time::Duration;

use gatelodge_proto::{
    grant::{Grant, SignedGrant},
    payload::{EndReason, Happening},
};
use gatelodge_technician::forward::Update;
use gatelodge_tests::{panel::Panel, wait::measure_for};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Gate, Live, Newer, Plane, Settings, Wish, service};

/// A session with one open flow that has carried a word.
async fn busy(host: u8, tweak: impl FnOnce(&mut super::Change)) -> (std::sync::Arc<Plane>, Live, TcpStream) {
    // Whoever vanishes is not waited for as long as outside of tests.
    let relay = Settings { back_within: Duration::from_secs(2), ..Settings::default() };
    let plane = Plane::with(relay).await;
    let panel = Panel::start(host).await.unwrap();
    let mut change = plane.change(&[service("echo", panel.echo)]);
    tweak(&mut change);
    let (plane, mut live) = plane.go(change).await;
    live.joined().await;
    let mut tcp = live.connect(0).await;
    tcp.write_all(b"zone 3").await.unwrap();
    let mut back = [0; 6];
    tcp.read_exact(&mut back).await.unwrap();
    // The panel lives as long as the test's runtime.
    std::mem::forget(panel);
    (plane, live, tcp)
}

async fn ends_everywhere(plane: &Plane, mut live: Live, mut tcp: TcpStream, reason: EndReason) {
    let (technician, device) = live.ends().await;
    assert_eq!(technician.unwrap().reason, reason);
    assert_eq!(device.reason, reason);
    assert_eq!(plane.reported_end().await, reason);
    assert!(tcp.read_u8().await.is_err(), "the forwarded connection is over");
    let events = live.events().await;
    let closed = events.iter().any(|event| matches!(event, Happening::FlowClosed { bytes_up: 6, bytes_down: 6, .. }));
    assert!(closed, "{events:?}");
    assert!(
        matches!(events.last(), Some(Happening::SessionEnded { reason: said, .. }) if *said == reason),
        "{events:?}"
    );
    assert!(plane.relay.live().is_empty());
}

#[tokio::test]
async fn the_customer_presses_stop_in_the_portal() {
    let (plane, live, tcp) = busy(41, |_| {}).await;
    assert!(plane.relay.revoke(plane.book.session, EndReason::Customer));
    ends_everywhere(&plane, live, tcp, EndReason::Customer).await;
}

#[tokio::test]
async fn somebody_presses_stop_on_the_device() {
    let (plane, live, tcp) = busy(42, |_| {}).await;
    live.wish.send(Wish::End(EndReason::Device)).await.unwrap();
    ends_everywhere(&plane, live, tcp, EndReason::Device).await;
}

#[tokio::test]
async fn the_technician_ends_it() {
    let (plane, live, tcp) = busy(43, |_| {}).await;
    live.stop_technician.cancel();
    ends_everywhere(&plane, live, tcp, EndReason::Technician).await;
}

#[tokio::test]
async fn its_time_is_over_by_the_devices_own_count() {
    let (plane, live, tcp) = busy(44, |change| change.grant.lifetime_s = 2).await;
    ends_everywhere(&plane, live, tcp, EndReason::Expired).await;
}

#[tokio::test]
async fn nothing_happens_for_the_idle_limit() {
    let (plane, live, tcp) = busy(45, |change| change.grant.idle_s = 1).await;
    ends_everywhere(&plane, live, tcp, EndReason::Idle).await;
}

#[tokio::test]
async fn the_technicians_computer_vanishes() {
    let (plane, mut live, _tcp) = busy(46, |_| {}).await;
    live.technician.abort();
    let device = tokio::time::timeout(super::PATIENCE, &mut live.device).await.unwrap().unwrap();
    assert_eq!(device.reason, EndReason::RelayLost);
    assert_eq!(plane.reported_end().await, EndReason::RelayLost);
}

#[tokio::test]
async fn a_device_whose_clock_is_a_year_behind_counts_the_signed_seconds() {
    let (_plane, live, mut tcp) = busy(47, |change| change.behind = Duration::from_secs(365 * 86_400)).await;
    tcp.write_all(b"still here").await.unwrap();
    let mut back = [0; 10];
    tcp.read_exact(&mut back).await.unwrap();
    drop(live);
}

#[tokio::test]
async fn the_technician_ends_it_while_the_relay_does_not_answer() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plane = Plane::start().await;
    let mut change = plane.change(&[]);
    let relay = format!("ws://{}{}", silent.local_addr().unwrap(), gatelodge_proto::api::RELAY_PATH);
    change.join = Box::new(move |join| join.relay = relay);
    let (_plane, mut live) = plane.go(change).await;
    // The relay has taken the connection and says nothing.
    let _taken = silent.accept().await.unwrap();
    live.stop_technician.cancel();
    let ending = (&mut live.technician).await.unwrap().unwrap();
    assert_eq!(ending.reason, EndReason::Technician);
    live.device.abort();
}

/// Both ends of a day: the signed seconds are counted, or nothing is opened at all.
#[tokio::test]
async fn a_device_whose_clock_is_a_day_off_never_lets_a_session_last_longer() {
    let day = Duration::from_secs(86_400);
    let (plane, live, tcp) = busy(48, |change| {
        change.behind = day;
        change.grant.lifetime_s = 2;
    })
    .await;
    ends_everywhere(&plane, live, tcp, EndReason::Expired).await;

    let plane = Plane::start().await;
    let mut change = plane.change(&[]);
    change.ahead = day;
    let (_plane, mut live) = plane.go(change).await;
    let device = tokio::time::timeout(super::PATIENCE, &mut live.device).await.unwrap().unwrap();
    assert_eq!(device.reason, EndReason::DeviceClock);
    let events = live.events().await;
    assert!(
        matches!(&events[..], [Happening::SessionEnded { reason: EndReason::DeviceClock, .. }]),
        "nothing was opened, and the cloud hears why: {events:?}"
    );
    live.technician.abort();
}

/// More time is as much as was signed, whatever the device's clock says.
#[tokio::test]
async fn more_time_is_given_by_a_newer_grant_alone_and_told_to_the_technician() {
    let (plane, mut live, mut tcp) = busy(49, |change| {
        change.behind = Duration::from_secs(86_400);
        change.grant.lifetime_s = 3;
        change.grant.until = change.grant.from + Duration::from_secs(3);
    })
    .await;
    let grant = plane.grant.lock().unwrap().clone().unwrap();
    let longer =
        |by: u32| Grant { until: grant.until + Duration::from_secs(by.into()), lifetime_s: 3 + by, ..grant.clone() };
    let say = async |grant: &Grant| {
        let signed = SignedGrant::sign(grant, plane.pki.grant_key());
        live.wish
            .send(Wish::Extend(Box::new(Newer { grant: signed, proof: None, gate: Gate::default() })))
            .await
            .unwrap();
    };
    say(&Grant { services: Vec::new(), ..longer(3600) }).await;
    say(&longer(600)).await;
    say(&longer(600)).await;
    let mut told = None;
    while told.is_none() {
        if let Update::ExpiryWarn(seconds) = live.updates.recv().await.unwrap() {
            told = Some(seconds);
        }
    }
    assert!((600..=603).contains(&told.unwrap()), "{told:?}");
    // Past its first end, which the device counts from before the echo above.
    measure_for(Duration::from_secs(4)).await;
    tcp.write_all(b"still!").await.unwrap();
    let mut back = [0; 6];
    tcp.read_exact(&mut back).await.unwrap();
    live.wish.send(Wish::End(EndReason::Device)).await.unwrap();
    let (_, device) = live.ends().await;
    assert_eq!(device.reason, EndReason::Device);
    let events = live.events().await;
    let count = |fits: fn(&Happening) -> bool| events.iter().filter(|event| fits(event)).count();
    assert_eq!(count(|event| matches!(event, Happening::SessionExtended { .. })), 1, "{events:?}");
    assert_eq!(count(|event| matches!(event, Happening::ExtensionRefused { .. })), 1, "{events:?}");
}

/// The cloud is out of reach for good: the device still ends what it must.
#[tokio::test]
async fn without_the_cloud_the_devices_own_count_and_its_own_stop_end_a_session() {
    let (plane, mut live, _tcp) = busy(50, |change| change.grant.lifetime_s = 3).await;
    plane.tap.cut();
    let device = tokio::time::timeout(super::PATIENCE, &mut live.device).await.unwrap().unwrap();
    assert_eq!(device.reason, EndReason::Expired, "the end of its grant");
    let last = live.events().await.pop();
    assert!(matches!(last, Some(Happening::SessionEnded { reason: EndReason::Expired, .. })), "{last:?}");
    live.technician.abort();

    let (plane, mut live, _tcp) = busy(51, |_| {}).await;
    plane.tap.cut();
    live.wish.send(Wish::End(EndReason::Device)).await.unwrap();
    let device = tokio::time::timeout(super::PATIENCE, &mut live.device).await.unwrap().unwrap();
    assert_eq!(device.reason, EndReason::Device, "Stop on the device");
    live.technician.abort();
}
