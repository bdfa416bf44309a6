//! Sessions that a relay of this cloud carries, with the relay itself.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use gatelodge_cloud::sessions::{
    carry, end, join,
    model::hex,
    relay::{Relay, Settings},
};
use gatelodge_proto::{
    SessionId,
    api::{RELAY_PATH, SessionState},
    payload::{Consent, EndReason, Order},
    session::{
        Role, VERSION,
        carrier::{RelaySocket, Way, dial},
        relay_frame::{Hello, RelayError, RelayFrame},
    },
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use super::{asked, state};
use crate::cast::{self, Cast, Prop};

async fn relay(cast: &Cast) -> anyhow::Result<(Relay, SocketAddr)> {
    let kits = cast.kits();
    let relay = Relay::new(Settings::default(), kits.random.clone(), carry::Rows(kits.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = relay.routes();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok((relay, address))
}

async fn leg(address: SocketAddr, role: Role, ticket: String) -> anyhow::Result<RelaySocket> {
    said(address, Hello { version: VERSION, role, carrier: 0, ticket, resume: None, pledge: None }).await
}

async fn said(address: SocketAddr, hello: Hello) -> anyhow::Result<RelaySocket> {
    let tls = Arc::new(gatelodge_technician::tls::cloud_tls(None)?);
    let mut leg = dial(&format!("ws://{address}{RELAY_PATH}"), tls, Way::Raw).await?;
    leg.send(RelayFrame::Hello(hello).encode()).await?;
    Ok(leg)
}

async fn heard(leg: &mut RelaySocket) -> anyhow::Result<Option<RelayFrame>> {
    Ok(RelayFrame::decode(leg.next().await.expect("the relay answers")?)?)
}

/// Both ends of a session, paired.
async fn paired(cast: &Cast, prop: Prop, session: SessionId, address: SocketAddr) -> anyhow::Result<[RelaySocket; 2]> {
    let marc = cast.user("marc@example.com").await?.try_into()?;
    let mine = join::join(cast.kits(), &marc, session).await?.ticket;
    // The latest: a session that is carried on is ordered anew.
    let ordered = cast.orders(prop.id).await?.into_iter().rev().find_map(|order| match order {
        Order::OpenSession(order) => Some(order.ticket),
        _ => None,
    });
    let theirs = ordered.expect("the device is called");
    let mut legs = [leg(address, Role::Technician, mine).await?, leg(address, Role::Device, theirs).await?];
    for leg in &mut legs {
        let mut frame = None;
        while !matches!(frame, Some(RelayFrame::PeerUp { .. })) {
            frame = RelayFrame::decode(leg.next().await.expect("the relay goes on")?)?;
        }
    }
    Ok(legs)
}

#[tokio::test]
async fn a_relay_that_closes_ends_nothing_and_has_written_what_it_carried() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let (first, address) = relay(&cast).await?;
        let mut legs = paired(&cast, prop, session, address).await?;
        let data = RelayFrame::Data { seq: 0, payload: bytes::Bytes::from_static(b"seven b") };
        legs[0].send(data.encode()).await?;
        while legs[1].next().await.expect("the relay goes on")? != data.encode() {}
        first.close(EndReason::RelayLost, Duration::from_secs(20)).await;
        assert_eq!(state(&cast, &rosa, session).await?.0, SessionState::Open);
        assert_eq!(cast.count("SELECT bytes_down FROM remote_session").await?, 7);

        // The next one goes on from there, and writes no second beginning. Its order is the later one by its id, too.
        cast.pass(1);
        let (next, address) = relay(&cast).await?;
        let _legs = paired(&cast, prop, session, address).await?;
        assert_eq!(next.live()[0].carried.down, 7);
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            assert_eq!(history.iter().filter(|what| *what == "session_opened").count(), 1, "{history:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_wall_clock_that_is_set_anew_ends_nothing_that_is_carried_here() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let (relay, address) = relay(&cast).await?;
        let _legs = paired(&cast, prop, session, address).await?;
        cast.pass(300);
        let carried: BTreeSet<_> = relay.live().into_iter().map(|live| live.session).collect();
        assert_eq!(end::sweep_beside(cast.kits(), &carried).await?, 0);
        assert_eq!(state(&cast, &rosa, session).await?.0, SessionState::Open);
        cast.pass(3600);
        assert_eq!(end::sweep_beside(cast.kits(), &carried).await?, 1, "its time is over all the same");
        assert_eq!(state(&cast, &rosa, session).await?, (SessionState::Ended, Some(EndReason::Expired)));
    }
    Ok(())
}

#[tokio::test]
async fn an_end_that_is_refused_its_place_leaves_the_pledge_of_the_one_that_has_it() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        let (_relay, address) = relay(&cast).await?;
        let first = async |secret: [u8; 32]| -> anyhow::Result<RelaySocket> {
            let ticket = join::join(cast.kits(), &marc, session).await?.ticket;
            let pledge = Some(Sha256::digest(secret).into());
            said(address, Hello { version: VERSION, role: Role::Technician, carrier: 0, ticket, resume: None, pledge })
                .await
        };
        let again = async |secret: [u8; 32]| -> anyhow::Result<Option<RelayFrame>> {
            let ticket = hex(&secret);
            let hello =
                Hello { version: VERSION, role: Role::Technician, carrier: 0, ticket, resume: Some(0), pledge: None };
            heard(&mut said(address, hello).await?).await
        };
        let (ours, theirs) = ([1; 32], [2; 32]);
        let mut leg = first(ours).await?;
        assert!(matches!(heard(&mut leg).await?, Some(RelayFrame::Welcome(_))));
        let refused = heard(&mut first(theirs).await?).await?;
        assert_eq!(refused, Some(RelayFrame::Error { code: RelayError::Taken, retry_ms: 0 }));
        let stranger = again(theirs).await?;
        assert_eq!(stranger, Some(RelayFrame::Error { code: RelayError::Ticket, retry_ms: 0 }));
        assert!(matches!(again(ours).await?, Some(RelayFrame::Welcome(_))), "who has the place comes again to it");
    }
    Ok(())
}
