//! With the customer's key pinned the session's own process checks again: what the agent let through is not enough.

use std::time::Duration;

use gatelodge_agent::consent::Keeper;
use gatelodge_proto::{
    Random,
    consent::Proof,
    grant::{Grant, SignedGrant},
    payload::{EndReason, Feature, Happening, NotLonger},
};
use gatelodge_tests::{panel::Panel, passkey::Passkey};

use super::{Change, Live, Newer, Plane, Wish, now, service};

/// A device on which the key is pinned.
fn pinned(key: &Passkey) -> Keeper {
    let (mut keeper, public) = (Keeper::default(), key.public().unwrap());
    let digits = public.fingerprint();
    keeper.take_offer(public).unwrap();
    keeper.confirm(&digits, &Random::system(), now()).unwrap();
    keeper
}

fn passkey() -> Passkey {
    Passkey::make("lodge.example", "https://lodge.example").unwrap()
}

async fn asked(
    host: u8,
    keeper: &Keeper,
    proof: impl FnOnce(&SignedGrant) -> Option<Proof> + 'static,
) -> (Plane, Change) {
    let panel = Panel::start(host).await.unwrap();
    let plane = Plane::start().await;
    let mut change = plane.change(&[service("echo", panel.echo)]);
    let keeper = keeper.clone();
    change.start = Box::new(move |start| {
        start.gate = keeper.gate(&start.order.grant);
        start.order.proof = proof(&start.order.grant).map(Box::new);
    });
    (plane, change)
}

async fn ends(live: &mut Live) -> EndReason {
    tokio::time::timeout(super::PATIENCE, &mut live.device).await.unwrap().unwrap().reason
}

#[tokio::test]
async fn an_order_without_the_customers_word_does_not_even_join() {
    let (key, other) = (passkey(), passkey());
    let keeper = pinned(&key);
    for (host, forged) in [(120, None), (121, Some(other))] {
        let (plane, change) = asked(host, &keeper, move |grant| forged.map(|key| key.proof(grant).unwrap())).await;
        let (plane, mut live) = plane.go(change).await;
        assert_eq!(ends(&mut live).await, EndReason::DeviceProof);
        assert!(plane.book.reports.lock().unwrap().is_empty(), "the relay never heard of the device");
        live.technician.abort();
    }
}

#[tokio::test]
async fn what_the_technician_shows_is_to_the_letter_what_the_customer_has_signed() {
    let key = passkey();
    let keeper = pinned(&key);
    let (plane, mut change) = asked(122, &keeper, move |grant| Some(key.proof(grant).unwrap())).await;
    let wider = Grant { features: vec![Feature::Terminal], ..change.grant.clone() };
    let signed = SignedGrant::sign(&wider, plane.pki.grant_key());
    change.join = Box::new(move |join| join.grant = signed);
    let (_plane, mut live) = plane.go(change).await;
    assert_eq!(ends(&mut live).await, EndReason::Refused);
    assert!(!live.events().await.iter().any(|event| matches!(event, Happening::SessionJoined { .. })));
    live.technician.abort();
}

#[tokio::test]
async fn more_time_asks_for_the_customers_word_again() {
    let key = passkey();
    let keeper = pinned(&key);
    let first = std::sync::Arc::new(key);
    let signer = first.clone();
    let (plane, change) = asked(123, &keeper, move |grant| Some(signer.proof(grant).unwrap())).await;
    let (plane, mut live) = plane.go(change).await;
    live.joined().await;
    let grant = plane.grant.lock().unwrap().clone().unwrap();
    let until = grant.until + Duration::from_secs(600);
    let longer = SignedGrant::sign(&Grant { until, lifetime_s: 4200, ..grant.clone() }, plane.pki.grant_key());
    let shorter = SignedGrant::sign(&grant, plane.pki.grant_key());
    let of_the_first = first.proof(&shorter).unwrap();
    for proof in
        [None, Some(of_the_first), Some(passkey().proof(&longer).unwrap()), Some(first.proof(&longer).unwrap())]
    {
        let newer = Newer { grant: longer.clone(), proof: proof.map(Box::new), gate: keeper.gate(&longer) };
        live.wish.send(Wish::Extend(Box::new(newer))).await.unwrap();
    }
    let mut told = Vec::new();
    while told.len() < 4 {
        match live.events.recv().await.unwrap() {
            Happening::ExtensionRefused { reason, end, .. } => {
                assert_eq!(end.unwrap().until, grant.until);
                told.push(Some(reason));
            }
            Happening::SessionExtended { end, .. } => {
                assert_eq!(end.until, until);
                told.push(None);
            }
            _ => {}
        }
    }
    // They are told by tasks of their own, in any order.
    told.sort_by_key(Option::is_none);
    assert_eq!(told, [Some(NotLonger::Proof), Some(NotLonger::Proof), Some(NotLonger::Proof), None]);
    live.wish.send(Wish::End(EndReason::Device)).await.unwrap();
    let (_, device) = live.ends().await;
    assert_eq!(device.reason, EndReason::Device);
}
