//! The audit rows of registrations. Installer and customer of the moment read them; a later owner never does.

use gatelodge_proto::{DeviceId, OrganisationId};
use serde_json::Value;

use crate::{
    accounts::model::Member,
    audit::{self, Actor, Entry},
    db::{DbError, Tx},
    kits::Kits,
};

/// Writes one row about a device, done by somebody signed in.
pub(super) async fn record(
    tx: &mut Tx,
    kits: &Kits,
    by: &Member,
    device: DeviceId,
    what: &'static str,
    details: Value,
    readers: Vec<OrganisationId>,
) -> Result<(), DbError> {
    let actor = Actor::User { id: by.user_id, name: by.name.clone() };
    let entry = Entry { actor, what, device: Some(device), session: None, details, readers };
    audit::write(tx, kits.now(), &kits.random, entry).await
}
