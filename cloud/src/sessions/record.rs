//! The audit rows of sessions. Both organisations of the moment read them, and nobody who comes later.

use gatelodge_proto::{DeviceId, payload::EndReason};
use serde_json::{Value, json};

use super::model::{Ask, Traffic, names};
use crate::{
    accounts::model::Member,
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// Somebody signed in, as an actor.
pub(super) fn actor(member: &Member) -> Actor {
    Actor::User { id: member.user_id, name: member.name.clone() }
}

/// A device by its own message, as an actor.
pub(super) fn device(id: DeviceId) -> Actor {
    Actor::Device { id, name: "device".into() }
}

/// Writes one row about a session.
pub(super) async fn record(
    tx: &mut Tx,
    kits: &Kits,
    ask: &Ask,
    actor: Actor,
    what: &'static str,
    details: Value,
) -> Result<(), DbError> {
    let entry = Entry {
        actor,
        what,
        device: Some(ask.device),
        session: Some(ask.id),
        details,
        readers: vec![ask.installer, ask.customer],
    };
    audit::write(tx, kits.now(), &kits.random, entry).await
}

/// What was asked for, as details. Whoever reads `services` reads there of whole networks, calls and features too.
pub(super) fn asked(ask: &Ask) -> Value {
    let services = names(&ask.services).into_iter().map(String::from);
    let networks = ask.networks.iter().map(|network| format!("{} {}", network.name, network.subnet));
    let listens =
        ask.listens.iter().map(|listen| format!("{} {} {}", listen.name, listen.protocol.word(), listen.port));
    let features = ask.features.iter().map(ToString::to_string);
    let services: Vec<String> = services.chain(networks).chain(listens).chain(features).collect();
    let mut details = json!({ "services": services.join(", "), "reason": ask.reason, "minutes": ask.minutes });
    if !ask.features.is_empty() {
        details["features"] = json!(ask.features);
    }
    if let Some(number) = &ask.ticket_number {
        details["ticket_number"] = json!(number);
    }
    if !ask.networks.is_empty() {
        details["networks"] = json!(ask.networks);
    }
    if !ask.listens.is_empty() {
        details["listens"] = json!(ask.listens);
    }
    details
}

/// How a session ended, as details.
pub(super) fn ended(reason: EndReason, traffic: Traffic, seconds: u64) -> Value {
    json!({ "reason": reason.word(), "bytes_up": traffic.up, "bytes_down": traffic.down, "seconds": seconds })
}
