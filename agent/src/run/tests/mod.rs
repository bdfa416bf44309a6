//! A whole agent against a real Mosquitto; the registrar's part is spoken by a link of our own.

mod site;

use std::{net::TcpListener, path::Path, process::Child, time::Duration};

use gatelodge_proto::{
    CommandId, DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId,
    consent::{Blob, PinnedKey, Point},
    enrol::Credentials,
    grant::{Grant, SignedGrant, Technician},
    link::{Event as LinkEvent, Events, Link, Message, Outgoing, Settings},
    payload::{
        self, Certificate, Command, CommandResult, Consent, DeviceState, Event, Happening, Life, NotLonger, Order,
        Outcome, Placed, Receipt, Renew, Report, SessionOrder, Status as Presence,
    },
    topics::{Down, Topic, Up},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::task::JoinHandle;

use self::site::{Site, command, grant_key, state};
use super::*;
use crate::{
    audit,
    cloud::{SwappableCertificate, endpoint_tls},
    config,
    status::Status,
};

#[tokio::test]
async fn a_report_is_offered_until_its_receipt_through_a_killed_broker() {
    let Some(mut site) = Site::new() else { return };
    site.enrol(1);
    // The registrar first: presence is not retained, so what is said before it listens is never heard.
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let online: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(online.online);
    let first: Placed<Report> = registrar.next_body(Up::Report).await;
    assert_eq!(first.body.serial.as_str(), "AX-1");
    assert_eq!(first.body.mac.to_string(), "02:42:AC:11:00:02");

    // The endpoint acknowledged it, and dies before the registrar has committed.
    drop(registrar);
    site.kill_broker();
    site.start_broker();
    let mut registrar = site.registrar().await;
    let again: Placed<Report> = registrar.next_body(Up::Report).await;
    assert_eq!(again, first, "the very same message, at the same place in history");
    registrar.receipt(again.position).await;
    let code: Placed<payload::Event> = registrar.next_body(Up::Event).await;
    assert!(matches!(code.body.what, payload::Happening::OnSiteCodeShown { .. }));
    registrar.receipt(code.position).await;
    site.status_until(|status| status.waiting_messages == 0).await;
    agent.stop().await;

    let offline: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(!offline.online, "a stopped agent says so");
}

#[tokio::test]
async fn commands_are_carried_out_once_and_the_state_shows() {
    let Some(site) = Site::new() else { return };
    let (mut registrar, agent) = site.reported().await;

    let now = site.clock.now();
    let shown = |status: &Status| status.on_site_code.as_ref().map(|shown| shown.code.clone());
    let first = shown(&site.status_until(|status| status.on_site_code.is_some()).await);
    let renew = command(now, 1, Order::RenewOnSiteCode);
    assert_eq!(registrar.order(&renew).await, Outcome::Done);
    let second = shown(&site.status_until(|status| shown(status) != first).await);
    assert_eq!(registrar.order(&renew).await, Outcome::Done, "asked twice, answered twice");
    assert_eq!(shown(&site.status().await.unwrap()), second, "and carried out once");

    let active = command(now, 1, Order::State(state(2, Life::Active)));
    assert_eq!(registrar.order(&active).await, Outcome::Done);
    let older = command(now, 1, Order::State(state(1, Life::Enrolled)));
    assert_eq!(registrar.order(&older).await, Outcome::Done);
    let status = site.status_until(|status| status.registration.is_some()).await;
    let shown = status.registration.unwrap();
    assert_eq!((shown.life, shown.version), (Life::Active, 2), "an older word changes nothing");
    assert_eq!(status.on_site_code, None, "an active device shows no code");

    let mut late = command(now, 1, Order::RenewOnSiteCode);
    late.deadline = now - Duration::from_secs(3600);
    assert!(matches!(registrar.order(&late).await, Outcome::Refused { reason, .. } if reason.starts_with("late")));
    let foreign = command(now, 7, Order::RenewOnSiteCode);
    assert!(
        matches!(registrar.order(&foreign).await, Outcome::Refused { reason, .. } if reason.starts_with("wrong epoch"))
    );
    agent.stop().await;

    let agent = site.run();
    let status = site.status_until(|status| status.registration.is_some()).await;
    assert_eq!(status.registration.unwrap().customer.as_deref(), Some("Anna Rossi"), "it survives a restart");
    agent.stop().await;
}

#[tokio::test]
async fn an_order_does_not_send_the_device_to_a_relay_of_its_own_choice() {
    let Some(site) = Site::new() else { return };
    site.enrol(1);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let report: Placed<Report> = registrar.next_body(Up::Report).await;
    registrar.receipt(report.position).await;
    let active = DeviceState { consent: Consent::Always, ..state(1, Life::Active) };
    assert_eq!(registrar.order(&command(site.clock.now(), 1, Order::State(active))).await, Outcome::Done);
    for (relay, dialled) in [("wss://127.0.0.1:9/relay/v1", true), ("wss://127.0.0.1:80/relay/v1", false)] {
        let order = SessionOrder {
            grant: "a.b".parse().unwrap(),
            proof: None,
            relay: relay.into(),
            ticket: "00".into(),
            recording: None,
        };
        let outcome = registrar.order(&command(site.clock.now(), 1, Order::OpenSession(Box::new(order)))).await;
        let Outcome::Refused { reason, end } = outcome else { panic!("nobody signed this: {outcome:?}") };
        assert_eq!(!reason.contains("relay"), dialled, "{relay}: {reason}");
        assert_eq!(end, Some(payload::EndReason::Refused));
    }
    agent.stop().await;
}

#[tokio::test]
async fn more_time_that_no_session_is_asked_for_is_refused_to_the_cloud_with_its_reason() {
    let Some(site) = Site::new() else { return };
    site.enrol(1);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let report: Placed<Report> = registrar.next_body(Up::Report).await;
    registrar.receipt(report.position).await;
    let now = site.clock.now();
    let grant = Grant {
        session: SessionId::make(now, &Random::seeded(1)),
        device: site.device,
        epoch: 1,
        technician: Technician {
            user: UserId::make(now, &Random::seeded(1)),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(now, &Random::seeded(1)),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: String::new(),
        services: Vec::new(),
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from: now,
        until: now + Duration::from_secs(600),
        lifetime_s: 600,
        idle_s: 60,
        consent: Consent::Ask,
        reason: None,
        ticket_number: None,
        break_glass: false,
    };
    let signed = SignedGrant::sign(&grant, &grant_key());
    for (version, consent, epoch, expected) in [
        (1, Consent::Ask, 1, NotLonger::NotOpen),
        (2, Consent::Ask, 7, NotLonger::Owner),
        (3, Consent::Never, 1, NotLonger::Consent),
    ] {
        let active = DeviceState { consent, ..state(version, Life::Active) };
        assert_eq!(registrar.order(&command(now, 1, Order::State(active))).await, Outcome::Done);
        let order = command(now, epoch, Order::ExtendSession { grant: signed.clone(), proof: None });
        registrar.say(Down::Command, &order).await;
        let told = loop {
            let told: Placed<Event> = registrar.next_body(Up::Event).await;
            registrar.receipt(told.position).await;
            if !matches!(told.body.what, Happening::OnSiteCodeShown { .. }) {
                break told.body.what;
            }
        };
        let refused = Happening::ExtensionRefused { session: grant.session, end: None, reason: expected };
        assert_eq!(told, refused);
        let outcome = registrar.order(&order).await;
        assert!(matches!(outcome, Outcome::Refused { end: None, .. }), "{outcome:?}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn an_old_certificate_is_renewed_and_taken_into_use() {
    let Some(site) = Site::new() else { return };
    let key = site.enrol(75);
    let mut registrar = site.registrar().await;
    let agent = site.run();
    let renew: Placed<Renew> = registrar.next_body(Up::Renew).await;
    registrar.receipt(renew.position).await;
    let now = site.clock.now();
    let until = now + Duration::from_secs(90 * 24 * 3600);
    let name = site.device.to_string();

    let other = PrivateKey::make().unwrap();
    let foreign = site.certificate(&name, now, until, &other.request().unwrap());
    registrar.say(Down::Certificate, &Certificate { chain: foreign }).await;
    let chain = site.certificate(&name, now, until, &renew.body.csr);
    registrar.say(Down::Certificate, &Certificate { chain: chain.clone() }).await;

    let seconds = until.seconds();
    site.status_until(|status| status.certificate_until.is_some_and(|until| until.seconds() == seconds)).await;
    let online: Presence = payload::decode(&registrar.next(Up::Status).await.payload).unwrap();
    assert!(online.online, "it connects anew with the new certificate");
    agent.stop().await;
    let state = StateDir::open(&site.folder.path().join("state")).unwrap();
    match state.holding().unwrap() {
        Some(Holding::Enrolled { credentials, key: held }) => {
            assert_eq!((credentials.chain, held), (chain, key), "the foreign certificate was not taken");
        }
        other => panic!("not enrolled any more: {other:?}"),
    }
}

#[tokio::test]
async fn retired_means_no_further_connection() {
    let Some(site) = Site::new() else { return };
    let (registrar, agent) = site.reported().await;
    let now = site.clock.now();
    registrar.say(Down::Command, &command(now, 1, Order::State(state(3, Life::Retired)))).await;
    site.status_until(|status| status.stage == Stage::Retired).await;
    agent.stop().await;
    let state = StateDir::open(&site.folder.path().join("state")).unwrap();
    assert!(matches!(state.holding().unwrap(), Some(Holding::Retired)));
}

fn agent(site: &Site) -> Agent {
    let path = site.folder.path().join("agent.toml");
    let config = config::read(Some(&path), std::iter::empty()).unwrap();
    let (clock, random) = (site.clock.clone(), Random::system());
    let identity = identity::read(&config.identity).unwrap();
    let state = StateDir::open(&config.state_dir).unwrap();
    Agent {
        boot: state.count_boot(&random).unwrap(),
        outbox: Outbox::open(state.path()).unwrap(),
        audit: Audit::open(state.path()).unwrap(),
        keeper: Keeper::new(state.pin().unwrap(), state.book().unwrap()),
        page: config.local_page.listen,
        cloud: CloudClient::new(&config.cloud, &clock).unwrap(),
        board: Board::new(&identity, &config, clock.now()),
        stop: CancellationToken::new(),
        config,
        identity,
        state,
        clock,
        random,
    }
}

#[tokio::test]
async fn a_cloud_that_says_the_owner_left_erases_no_record_while_the_customers_key_is_pinned() {
    let Some(site) = Site::new() else { return };
    site.enrol(1);
    let on_record = || audit::deeds(&site.folder.path().join("state")).unwrap().len();
    let opened = |agent: &mut Agent| {
        let deed = audit::Deed::KeyForgotten { by: payload::Forgot::Device };
        for _ in 0..3 {
            agent.audit.note(site.clock.now(), deed.clone()).unwrap();
        }
    };
    let mut agent = agent(&site);
    opened(&mut agent);
    let key = PinnedKey {
        credential: Blob::new(vec![1]).unwrap(),
        point: Point::from_bytes(&[4; 65]).unwrap(),
        rp: "lodge.example".parse().unwrap(),
    };
    let digits = key.fingerprint();
    agent.keeper.take_offer(key).unwrap();
    let pin = agent.keeper.confirm(&digits, &agent.random, site.clock.now()).unwrap().id;
    agent.keep_consent().unwrap();

    agent.forget_owner().unwrap();
    assert_eq!(on_record(), 3, "what a cloud may have done stays to be seen");
    assert!(agent.state.holding().unwrap().is_none(), "the rest of the owner is gone");
    drop(agent);
    let mut agent = self::agent(&site);
    // The next owner takes the key of the one before away, while the device is enrolled nowhere.
    agent.asked_alone(&PageOrder::ForgetKey { pin }).unwrap();
    assert_eq!(agent.state.pin().unwrap(), None);
    assert_eq!(on_record(), 2, "that something was erased, and who took the key away");
    drop(agent);
    let mut agent = self::agent(&site);
    assert_eq!(agent.keeper.take_untold(), Some((pin, payload::Forgot::Device)), "the next cloud is told");
    agent.forget_owner().unwrap();
    assert_eq!(on_record(), 1, "nobody holds a key: the next owner sees that something was there, and no more");
}

#[test]
fn the_private_key_fits_the_tls_stack() {
    assert!(matches!(PrivateKey::make().unwrap().der().unwrap(), PrivateKeyDer::Pkcs8(_)));
}
