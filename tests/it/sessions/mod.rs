//! Remote sessions through the real services, on both databases.

mod at_device;
mod break_glass;
mod carried;
mod device;
mod emergency;
mod hours;
mod hours_story;
mod kept_end;
pub(crate) mod key_story;
mod limits;
pub(crate) mod live;
mod longer;
mod networks;
mod own_key;
mod pinned;
mod rejoin;
mod signed_rule;
pub(crate) mod unbroken;
mod withdrawn;

use std::sync::Arc;

use gatelodge_cloud::{
    accounts::{
        model::{OrganisationKind, Role},
        rights::{CustomerMember, InstallerMember},
    },
    activation::{release, rule},
    sessions::{
        carry::{self, NotAdmitted},
        decide::{self, DecideRefusal},
        end::{self, Stopped},
        join::{self, JoinRefusal},
        machine::Refusal,
        model::{Side, Ticket, Traffic},
        request::{self, RequestRefusal},
        service,
    },
};
use gatelodge_proto::{
    SessionId,
    api::{SessionRequest, SessionState, SessionView},
    payload::{Consent, EndReason, Order},
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::task::JoinSet;

use crate::cast::{self, Cast, Prop};

pub(crate) fn wish(prop: Prop) -> SessionRequest {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    SessionRequest {
        device: prop.id,
        services: vec!["panel-web".parse().unwrap()],
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        reason: Some("yearly check".into()),
        ticket_number: None,
        break_glass: false,
        minutes: 60,
        csr,
    }
}

pub(crate) async fn asked(cast: &Cast, by: &InstallerMember, prop: Prop) -> anyhow::Result<SessionView> {
    Ok(request::request(cast.kits(), by, wish(prop)).await?.view)
}

pub(crate) async fn state(
    cast: &Cast,
    by: &CustomerMember,
    id: SessionId,
) -> anyhow::Result<(SessionState, Option<EndReason>)> {
    let view = service::one(cast.kits(), by.member(), id).await?.unwrap().view;
    Ok((view.state, view.end_reason))
}

#[tokio::test]
async fn the_customers_rule_answers_a_request() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        for (consent, expected) in [
            (Consent::Ask, SessionState::Waiting),
            (Consent::Always, SessionState::Open),
            (Consent::Never, SessionState::Refused),
        ] {
            rule::set_consent(cast.kits(), &rosa, prop.id, consent).await?;
            assert_eq!(asked(&cast, &marc, prop).await?.state, expected);
        }
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            let mut sessions: Vec<_> = history.iter().filter(|what| what.starts_with("session")).collect();
            sessions.sort();
            assert_eq!(
                sessions,
                [
                    "session_allowed",
                    "session_refused_by_rule",
                    "session_requested",
                    "session_requested",
                    "session_requested"
                ]
            );
        }
        assert!(cast.jobs().await?.contains(&"sessions.mail_request".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_in_words() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let open = cast.device().await?;
        cast.registers(&marc, open, "villa-blu", "blu@example.com").await?;
        let said = async |by: &InstallerMember, wish| {
            request::request(cast.kits(), by, wish).await.map(|_| ()).unwrap_err().to_string()
        };
        let with = |change: fn(&mut SessionRequest)| {
            let mut wish = wish(prop);
            change(&mut wish);
            wish
        };
        assert!(said(&lena, wish(prop)).await.contains("no such device"));
        assert!(said(&marc, wish(open)).await.contains("has not confirmed"));
        let unknown = said(&marc, with(|wish| wish.services = vec!["telnet".parse().unwrap()])).await;
        assert!(unknown.contains("`telnet`") && unknown.contains("panel-web, panel-tcp"), "{unknown}");
        assert!(said(&marc, with(|wish| wish.services.clear())).await.contains("at least one"));
        for unfit in ["two\nlines".to_owned(), "x".repeat(301)] {
            let mut wish = wish(prop);
            wish.reason = Some(unfit);
            assert!(said(&marc, wish).await.contains("in one line of 300 characters at most"));
        }
        assert!(said(&marc, with(|wish| wish.minutes = 241)).await.contains("1 to 240 minutes"));
        assert!(said(&marc, with(|wish| wish.csr = "x".into())).await.contains("PKCS #10"));
        for _ in 0..4 {
            asked(&cast, &marc, prop).await?;
        }
        assert!(matches!(request::request(cast.kits(), &marc, wish(prop)).await, Err(RequestRefusal::Busy)));
    }
    Ok(())
}

#[tokio::test]
async fn the_customer_decides_once_and_nobody_else_does() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (_, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        let first = asked(&cast, &marc, prop).await?.id;
        assert!(matches!(decide::approve(kits, &paul, first).await, Err(DecideRefusal::Unknown)));
        assert!(service::one(kits, paul.member(), first).await?.is_none());
        let waiting = join::join(kits, &marc, first).await.map(|_| ()).unwrap_err();
        assert!(matches!(waiting, JoinRefusal::State(Refusal::Waiting)), "{waiting}");
        decide::approve(kits, &rosa, first).await?;
        assert_eq!(state(&cast, &rosa, first).await?.0, SessionState::Open);
        let again = decide::refuse(kits, &rosa, first).await;
        assert!(matches!(again, Err(DecideRefusal::State(Refusal::AlreadyOpen))), "{again:?}");
        let second = asked(&cast, &marc, prop).await?.id;
        decide::refuse(kits, &rosa, second).await?;
        let refused = join::join(kits, &marc, second).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, JoinRefusal::State(Refusal::Refused)), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn joining_gives_a_signed_grant_and_calls_the_device() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let colleague = cast.member(marc.member().organisation_id, Role::Technician, "ann@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?;
        let colleague = InstallerMember::try_from(colleague)?;
        assert!(matches!(join::join(kits, &colleague, session.id).await, Err(JoinRefusal::Unknown)));
        let join = join::join(kits, &marc, session.id).await?;
        let grant = join.grant.verify(&kits.pki.grant_public_key())?;
        assert_eq!((grant.session, grant.device, grant.consent), (session.id, prop.id, Consent::Always));
        assert_eq!(grant.services[0].name.as_str(), "panel-web");
        assert_eq!(grant.lifetime_s, 3600);
        assert!(join.relay.starts_with("wss://") && join.relay.ends_with("/relay/v1"), "{}", join.relay);
        let orders = cast.orders(prop.id).await?;
        let order =
            orders.iter().find_map(|order| if let Order::OpenSession(order) = order { Some(order) } else { None });
        let order = order.expect("the device is called");
        assert_eq!((order.grant.as_str(), order.relay.as_str()), (join.grant.as_str(), join.relay.as_str()));
        assert_ne!(order.ticket, join.ticket);
        assert_eq!(cast.count("SELECT count(*) FROM join_ticket").await?, 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_ticket_is_good_once_for_its_side_and_for_30_seconds() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?;
        let ticket = async || -> anyhow::Result<Ticket> {
            Ok(join::join(cast.kits(), &marc, session.id).await?.ticket.parse()?)
        };
        let first = ticket().await?;
        let mut all = JoinSet::new();
        for _ in 0..16 {
            let (cast, first) = (cast.clone(), first.clone());
            all.spawn(async move { carry::admit(cast.kits(), &first, Side::Technician).await });
        }
        let outcomes = all.join_all().await;
        let admitted: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(admitted.len(), 1, "{outcomes:?}");
        assert_eq!((admitted[0].session, admitted[0].lifetime.as_secs()), (session.id, 3600));
        let swapped = ticket().await?;
        for _ in 0..2 {
            let refused = carry::admit(cast.kits(), &swapped, Side::Device).await;
            assert!(matches!(refused, Err(NotAdmitted::Unknown)), "{refused:?}");
        }
        let late = ticket().await?;
        for _ in 0..2 {
            cast.pass(15);
            carry::supervise(cast.kits(), &[(session.id, Traffic::default())]).await?;
        }
        let refused = carry::admit(cast.kits(), &late, Side::Technician).await;
        assert!(matches!(refused, Err(NotAdmitted::Unknown)), "{refused:?}");
        let over = ticket().await?;
        end::stop_by_technician(cast.kits(), &marc, session.id).await?;
        let refused = carry::admit(cast.kits(), &over, Side::Technician).await;
        assert!(matches!(refused, Err(NotAdmitted::Over(EndReason::Technician))), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stop_ends_the_session_at_once_for_relay_device_and_both_audits() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (_, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let ticket: Ticket = join::join(kits, &marc, session).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        let traffic = Traffic { up: 700, down: 50 };
        assert!(carry::supervise(kits, &[(session, traffic)]).await?.over.is_empty());
        assert_eq!(end::stop_by_customer(kits, &paul, session).await?, Stopped::Unknown);
        assert_eq!(end::stop_by_customer(kits, &rosa, session).await?, Stopped::Now);
        assert_eq!(end::stop_by_technician(kits, &marc, session).await?, Stopped::WasOver);
        assert_eq!(carry::supervise(kits, &[(session, traffic)]).await?.over, [(session, EndReason::Customer)]);
        let orders = cast.orders(prop.id).await?;
        assert!(orders.contains(&Order::StopSession { session, reason: EndReason::Customer }), "{orders:?}");
        carry::ended(kits, session, EndReason::Customer, traffic).await?;
        let view = service::one(kits, marc.member(), session).await?.unwrap().view;
        assert_eq!((view.end_reason, view.bytes_up, view.bytes_down), (Some(EndReason::Customer), 700, 50));
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            assert_eq!(history.iter().filter(|what| *what == "session_ended").count(), 1, "{history:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_session_falls_with_each_right_it_stands_on() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let fallen = async |id| -> anyhow::Result<bool> {
            end::sweep(kits).await?;
            Ok(state(&cast, &rosa, id).await? == (SessionState::Ended, Some(EndReason::Revoked)))
        };

        let id = asked(&cast, &marc, prop).await?.id;
        assert!(!fallen(id).await?);
        cast.change("UPDATE user_account SET disabled_at = 1 WHERE email = 'marc@example.com'").await?;
        assert!(fallen(id).await?);
        cast.change("UPDATE user_account SET disabled_at = NULL").await?;

        let id = asked(&cast, &marc, prop).await?.id;
        cast.change("UPDATE membership SET role = 'basic' WHERE role = 'technician'").await?;
        assert!(fallen(id).await?);
        cast.change("UPDATE membership SET role = 'technician' WHERE role = 'basic'").await?;

        let id = asked(&cast, &marc, prop).await?.id;
        rule::set_consent(kits, &rosa, prop.id, Consent::Never).await?;
        assert!(fallen(id).await?);
        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;

        let id = asked(&cast, &marc, prop).await?.id;
        release::release(kits, &rosa, prop.id, "villa-rosa").await?;
        assert!(fallen(id).await?);
        let joined = join::join(kits, &marc, id).await.map(|_| ()).unwrap_err();
        assert!(matches!(joined, JoinRefusal::State(Refusal::Ended)), "{joined}");
    }
    Ok(())
}

#[tokio::test]
async fn time_ends_requests_and_sessions_for_the_reason_that_holds() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let unanswered = asked(&cast, &marc, prop).await?.id;
        cast.pass(30 * 60);
        let late = decide::approve(kits, &rosa, unanswered).await;
        assert!(matches!(late, Err(DecideRefusal::State(Refusal::Ended))), "{late:?}");
        assert_eq!(state(&cast, &rosa, unanswered).await?, (SessionState::Ended, Some(EndReason::Expired)));

        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;
        let never = asked(&cast, &marc, prop).await?.id;
        cast.pass(10 * 60);
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, never).await?, (SessionState::Ended, Some(EndReason::NeverJoined)));

        let silent = asked(&cast, &marc, prop).await?.id;
        let ticket: Ticket = join::join(kits, &marc, silent).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        for _ in 0..10 {
            cast.pass(20);
            carry::supervise(kits, &[(silent, Traffic::default())]).await?;
            assert_eq!(end::sweep(kits).await?, 0);
        }
        cast.pass(101);
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, silent).await?, (SessionState::Ended, Some(EndReason::RelayLost)));

        let long = asked(&cast, &marc, prop).await?.id;
        let ticket: Ticket = join::join(kits, &marc, long).await?.ticket.parse()?;
        carry::admit(kits, &ticket, Side::Technician).await?;
        for _ in 0..144 {
            cast.pass(25);
            carry::supervise(kits, &[(long, Traffic::default())]).await?;
        }
        end::sweep(kits).await?;
        assert_eq!(state(&cast, &rosa, long).await?, (SessionState::Ended, Some(EndReason::Expired)));
    }
    Ok(())
}

#[tokio::test]
async fn a_vendor_and_a_stranger_read_no_sessions() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        for kind in [OrganisationKind::Vendor, OrganisationKind::Installer, OrganisationKind::Customer] {
            let stranger = cast.somebody(kind, Role::Administrator, &format!("{kind}@elsewhere.example")).await?;
            assert!(service::one(cast.kits(), stranger.member(), session).await?.is_none());
            let wanted = service::Wanted { limit: 10, ..service::Wanted::default() };
            assert!(service::list(cast.kits(), stranger.member(), wanted).await?.is_empty());
        }
    }
    Ok(())
}
