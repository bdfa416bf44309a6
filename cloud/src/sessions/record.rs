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

/// What was asked for, as details.
pub(super) fn asked(ask: &Ask) -> Value {
    let services: Vec<String> = names(&ask.services).iter().map(ToString::to_string).collect();
    json!({ "services": services.join(", "), "reason": ask.reason, "minutes": ask.minutes })
}

/// How a session ended, as details.
pub(super) fn ended(reason: EndReason, traffic: Traffic, seconds: u64) -> Value {
    json!({ "reason": reason.word(), "bytes_up": traffic.up, "bytes_down": traffic.down, "seconds": seconds })
}
