//! A whole network, a port for the installation's calls, and features are asked for by their names, granted as the device reports
//! them, and named to everybody in plain words.

use gatelodge_cloud::sessions::{
    decide, join,
    request::{self, RequestRefusal, Unkeyed},
    service, show,
};
use gatelodge_proto::{
    api::SessionRequest,
    payload::{Consent, Feature, Order},
};

use super::wish;
use crate::cast::{self, Prop};

fn whole(prop: Prop, name: &str) -> SessionRequest {
    SessionRequest { services: Vec::new(), networks: vec![name.parse().unwrap()], ..wish(prop) }
}

#[tokio::test]
async fn a_network_is_granted_as_reported_and_named_in_both_audits() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let asked = request::request(kits, &marc, whole(prop, "lan")).await?.view;
        let waiting = service::one(kits, rosa.member(), asked.id).await?.unwrap();
        assert_eq!(waiting.view.networks[0].subnet.to_string(), "192.168.1.0/24");
        assert_eq!(show::row(waiting, rosa.member(), &cast.kits().config.sessions).networks, ["192.168.1.0/24"]);
        decide::approve(kits, &rosa, asked.id).await?;
        let grant = join::join(kits, &marc, asked.id).await?.grant.verify(&kits.pki.grant_public_key())?;
        assert_eq!((grant.services, grant.networks), (Vec::new(), asked.networks));
        let orders = cast.orders(prop.id).await?;
        assert!(orders.iter().any(|order| matches!(order, Order::OpenSession(_))), "the device is called");
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            for what in ["session_requested", "session_allowed"] {
                let details = cast.details(organisation, prop.id, what).await?;
                assert_eq!(details[0]["services"], "lan 192.168.1.0/24", "{what}");
                assert_eq!(details[0]["networks"][0]["subnet"], "192.168.1.0/24", "{what}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn calls_are_granted_as_reported_and_named_in_both_audits() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let calls = |name: &str| {
            let listens = vec![name.parse().unwrap()];
            SessionRequest { services: Vec::new(), listens, ..wish(prop) }
        };
        let refused = request::request(kits, &marc, calls("lan")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the device has no port for calls `lan`; it has event-receiver");
        let asked = request::request(kits, &marc, calls("event-receiver")).await?.view;
        let waiting = service::one(kits, rosa.member(), asked.id).await?.unwrap();
        assert_eq!((waiting.view.listens[0].port, waiting.view.networks.len()), (9000, 0));
        let shown = show::row(waiting, rosa.member(), &cast.kits().config.sessions).calls;
        assert_eq!((shown[0].from.as_str(), shown[0].port.as_str()), ("192.168.1.0/24", "tcp 9000 (event-receiver)"));
        decide::approve(kits, &rosa, asked.id).await?;
        let grant = join::join(kits, &marc, asked.id).await?.grant.verify(&kits.pki.grant_public_key())?;
        assert_eq!((grant.services, grant.networks, grant.listens), (Vec::new(), Vec::new(), asked.listens));
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            for what in ["session_requested", "session_allowed"] {
                let details = cast.details(organisation, prop.id, what).await?;
                assert_eq!(details[0]["services"], "event-receiver tcp 9000", "{what}");
                assert_eq!(details[0]["listens"][0]["from"], "192.168.1.0/24", "{what}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_network_that_the_device_does_not_report_is_refused_in_words() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let refused = request::request(cast.kits(), &marc, whole(prop, "bus")).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::UnknownNetwork { .. }), "{refused:?}");
        assert_eq!(refused.to_string(), "the device has no network `bus`; it has lan");
        // A service's name is no network's, nor the other way round.
        let refused = request::request(cast.kits(), &marc, whole(prop, "panel-web")).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::UnknownNetwork { .. }), "{refused:?}");
        let crossed = SessionRequest { services: vec!["lan".parse()?], ..wish(prop) };
        let refused = request::request(cast.kits(), &marc, crossed).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::UnknownService { .. }), "{refused:?}");
        assert_eq!(cast.count("SELECT count(*) FROM remote_session").await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn features_and_a_ticket_number_are_granted_as_asked_and_told_to_both() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let with = |features: &[Feature]| SessionRequest {
            services: Vec::new(),
            features: features.to_vec(),
            ticket_number: Some("2026-0417".parse().unwrap()),
            ..wish(prop)
        };
        let refused = request::request(kits, &marc, with(&[Feature::Terminal, Feature::Files])).await.unwrap_err();
        assert_eq!(refused.to_string(), "the device's own settings do not offer `files`; they offer terminal, web");
        let refused = request::request(kits, &marc, with(&[Feature::Web])).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::NoServices), "a browser needs something to look at: {refused:?}");
        let terminal = || with(&[Feature::Terminal, Feature::Terminal]);
        let refused = request::request(kits, &marc, terminal()).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::NoRecordingKey(Unkeyed::Installer)), "{refused:?}");
        cast.keyed(marc.member().organisation_id, "boss@example.com").await?;
        let refused = request::request(kits, &marc, terminal()).await.unwrap_err();
        assert!(matches!(refused, RequestRefusal::NoRecordingKey(Unkeyed::Customer)), "{refused:?}");
        cast.keyed(rosa.member().organisation_id, "head@example.com").await?;
        let asked = request::request(kits, &marc, terminal()).await?.view;
        let waiting = service::one(kits, rosa.member(), asked.id).await?.unwrap();
        let shown = show::row(waiting, rosa.member(), &cast.kits().config.sessions);
        assert_eq!((shown.features, shown.ticket_number.as_deref()), (vec![Feature::Terminal], Some("2026-0417")));
        decide::approve(kits, &rosa, asked.id).await?;
        let grant = join::join(kits, &marc, asked.id).await?.grant.verify(&kits.pki.grant_public_key())?;
        assert_eq!((grant.features, grant.ticket_number), (vec![Feature::Terminal], asked.ticket_number));
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            for what in ["session_requested", "session_allowed"] {
                let details = cast.details(organisation, prop.id, what).await?;
                assert_eq!(
                    (&details[0]["services"], &details[0]["ticket_number"]),
                    (&"terminal".into(), &"2026-0417".into())
                );
            }
        }
    }
    Ok(())
}
