//! What must not come up, does not: wrong keys, forged words, closed ports, services outside the lists.

use gatelodge_agent::state::PrivateKey;
use gatelodge_proto::{
    DeviceId, Random,
    grant::SignedGrant,
    payload::{EndReason, FlowOutcome, Happening, Service},
    session::{driver::OpenFailure, inner_frame::OpenError},
};
use gatelodge_technician::forward::{ForwardError, SessionKey, Update};
use gatelodge_tests::panel::Panel;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::{Change, Live, Plane, now, service};

async fn refused(plane: Plane, change: Change) -> (ForwardError, Vec<Happening>) {
    let (_plane, mut live) = plane.go(change).await;
    let (technician, device) = live.ends().await;
    assert_eq!(device.reason, EndReason::Refused, "{device:?}");
    let events = live.events().await;
    assert!(!events.iter().any(|event| matches!(event, Happening::FlowOpened { .. })));
    (technician.expect_err("the session must not come up"), events)
}

async fn with_panel(host: u8) -> (Plane, Change) {
    let panel = Panel::start(host).await.unwrap();
    let plane = Plane::start().await;
    let change = plane.change(&[service("echo", panel.echo)]);
    (plane, change)
}

#[tokio::test]
async fn a_device_with_another_devices_certificate() {
    let (plane, mut change) = with_panel(31).await;
    let key = PrivateKey::make().unwrap();
    let other = Plane { device: DeviceId::make(now(), &Random::system()), ..Plane::start().await };
    // The right CA, another device.
    let csr = gatelodge_cloud::pki::Csr::parse(&key.request().unwrap()).unwrap();
    let chain = plane.pki.sign_device(other.device, &csr, now()).unwrap().chain;
    change.start = Box::new(move |start| {
        start.key = key;
        start.credentials.chain = chain;
    });
    let (error, _) = refused(plane, change).await;
    assert!(matches!(error, ForwardError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_device_certified_by_another_vendor() {
    let (plane, mut change) = with_panel(32).await;
    let other = Plane { device: plane.device, ..Plane::start().await };
    let chain = other.certify(&plane.device_key);
    change.start = Box::new(move |start| start.credentials.chain = chain);
    let (error, _) = refused(plane, change).await;
    assert!(matches!(error, ForwardError::Handshake(_)), "{error:?}");
}

#[tokio::test]
async fn a_technician_with_another_key_than_the_grant_names() {
    let (mut plane, change) = with_panel(33).await;
    // The cloud certifies the key, and the grant names another.
    plane.session_key = SessionKey::make().unwrap();
    let (error, _) = refused(plane, change).await;
    assert!(
        matches!(error, ForwardError::Handshake(_) | ForwardError::Unaccepted(_) | ForwardError::Ended(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_grant_that_the_cloud_did_not_sign() {
    let (plane, mut change) = with_panel(34).await;
    let other = Plane::start().await;
    let forged = SignedGrant::sign(&change.grant, other.pki.grant_key());
    change.join = Box::new(move |join| join.grant = forged);
    let (error, _) = refused(plane, change).await;
    assert!(error.to_string().contains("not signed by the vendor's cloud"), "{error}");
}

#[tokio::test]
async fn a_grant_for_an_earlier_owner() {
    let (plane, mut change) = with_panel(35).await;
    let old = gatelodge_proto::grant::Grant { epoch: 1, ..change.grant.clone() };
    let old = SignedGrant::sign(&old, plane.pki.grant_key());
    change.join = Box::new(move |join| join.grant = old);
    let (error, _) = refused(plane, change).await;
    assert!(error.to_string().contains("another ownership"), "{error}");
}

#[tokio::test]
async fn nothing_that_the_device_itself_lists() {
    let (plane, mut change) = with_panel(36).await;
    change.own_services = Some(vec![]);
    let (_plane, mut live) = plane.go(change).await;
    assert_eq!((&mut live.device).await.unwrap().reason, EndReason::DeviceServices);
    live.technician.abort();
    assert!(matches!(live.events().await[..], [Happening::SessionEnded { reason: EndReason::DeviceServices, .. }]));
}

/// Connects to a local port, and gives why that failed at the far end, and what the device wrote down.
async fn failure(live: &mut Live, port: usize) -> (OpenFailure, FlowOutcome) {
    let mut tcp: TcpStream = live.connect(port).await;
    let error = tcp.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "a closed port looks closed");
    let failure = loop {
        if let Some(Update::FlowFailed { failure, .. }) = live.updates.recv().await {
            break failure;
        }
    };
    loop {
        if let Some(Happening::FlowOpened { outcome, .. }) = live.events.recv().await {
            return (failure, outcome);
        }
    }
}

#[tokio::test]
async fn a_service_outside_the_devices_list_while_others_work() {
    let panel = Panel::start(37).await.unwrap();
    let (echo, web) = (service("echo", panel.echo), service("web", panel.web));
    let plane = Plane::start().await;
    let mut change = plane.change(&[echo.clone(), web]);
    change.own_services = Some(vec![echo]);
    let (_plane, mut live) = plane.go(change).await;
    live.joined().await;
    let (why, noted) = failure(&mut live, 1).await;
    assert_eq!((why, noted), (OpenFailure::Target(OpenError::NotAllowed), FlowOutcome::NotAllowed));
}

#[tokio::test]
async fn a_panel_that_refuses_and_addresses_that_no_session_reaches() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.38:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let mut disguised = service("disguised", closed);
    disguised.host = "::ffff:127.0.0.38".into();
    let mut multicast = service("multicast", closed);
    multicast.host = "224.0.0.1".into();
    let mut nameless = service("nameless", closed);
    nameless.host = "panel.invalid".into();
    let services = [service("closed", closed), disguised, multicast, nameless];
    let (_plane, mut live) = Plane::start().await.up(&services).await;
    for (port, error, outcome) in [
        (0, OpenError::Refused, FlowOutcome::Refused),
        (1, OpenError::NotAllowed, FlowOutcome::NotAllowed),
        (2, OpenError::NotAllowed, FlowOutcome::NotAllowed),
        (3, OpenError::NoSuchName, FlowOutcome::NoSuchName),
    ] {
        assert_eq!(failure(&mut live, port).await, (OpenFailure::Target(error), outcome));
    }
}

#[tokio::test]
async fn a_used_or_unknown_ticket() {
    let (plane, mut change) = with_panel(39).await;
    change.join = Box::new(|join| join.ticket = "guessed".into());
    let (_plane, mut live) = plane.go(change).await;
    let error = (&mut live.technician).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("ticket"), "{error}");
    live.device.abort();
}

#[tokio::test]
async fn the_devices_own_page_is_no_service_whatever_its_settings_say() {
    let panel = Panel::start(39).await.unwrap();
    let named = |name: &str, host: &str| Service { host: host.into(), ..service(name, panel.echo) };
    let plane = Plane::start().await;
    let services = [
        service("page", panel.echo),
        named("loopback", "127.0.0.1"),
        named("name", "localhost"),
        named("six", "::1"),
        service("web", panel.web),
    ];
    let mut change = plane.change(&services);
    let listens = panel.echo;
    change.start = Box::new(move |start| start.page = Some(listens));
    let (_plane, mut live) = plane.go(change).await;
    live.joined().await;
    for (place, service) in services.iter().enumerate().take(4) {
        let (why, noted) = failure(&mut live, place).await;
        let refused = (OpenFailure::Target(OpenError::NotAllowed), FlowOutcome::NotAllowed);
        assert_eq!((why, noted), refused, "{service:?}");
    }
}
