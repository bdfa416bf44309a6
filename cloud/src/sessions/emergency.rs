//! The vendor's emergency stop: of everybody, of one installer, or of one device. It ends what is live and keeps new
//! sessions out until somebody lifts it.

use gatelodge_proto::{CommandId, DeviceId, OrganisationId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{end, jobs, model::LONGEST_REASON, record::actor, store::emergency as store};
use crate::{
    accounts::{rights::VendorAdministrator, service as accounts},
    audit::{self, Entry},
    db::{DbError, Tx},
    devices::service as devices,
    kits::Kits,
};

/// An emergency stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopId(pub Uuid);

/// Whose sessions are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    Everybody,
    /// Those of one installer.
    Installer(OrganisationId),
    /// Those on one device.
    Device(DeviceId),
}

/// A stop in force, as the vendor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its id.
    pub id: StopId,
    /// Which installer, when it is one.
    pub installer: Option<String>,
    /// Which device's ID code, when it is one.
    pub device: Option<String>,
    /// Why.
    pub reason: String,
    /// Who stopped.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why nothing was stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopRefusal {
    /// Nothing of this name.
    #[error("there is no such installer or device")]
    Unknown,
    /// Without a reason nobody understands what happened.
    #[error("say in one line of {LONGEST_REASON} characters at most why; everybody concerned reads it")]
    Reason,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Stops at once: ends what is live, and keeps new sessions out until it is lifted. Gives how many have ended.
pub async fn stop(
    kits: &Kits,
    by: &VendorAdministrator,
    scope: Scope,
    reason: &str,
) -> Result<(StopId, usize), StopRefusal> {
    let (member, now, reason) = (by.member(), kits.now(), reason.trim());
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(StopRefusal::Reason);
    }
    let id = StopId(CommandId::make(now, &kits.random).uuid());
    let mut tx = kits.db.write_on_reserve().await?;
    let (device, installer) = named(&mut tx, scope).await?;
    store::insert(&mut tx, now, id, scope, reason, member.user_id).await?;
    let concerned = store::concerned(&mut tx, scope).await?;
    let entry = Entry {
        actor: actor(member),
        what: "emergency_stop",
        device,
        session: None,
        details: json!({ "reason": reason, "scope": word(scope), "organisation": installer }),
        readers: std::iter::once(member.organisation_id).chain(concerned.iter().copied()).collect(),
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    for organisation in &concerned {
        jobs::enqueue_stopped(&mut tx, kits, id, *organisation).await?;
    }
    tx.commit().await?;
    kits.jobs.ring();
    let ended = end::sweep(kits).await?;
    Ok((id, ended))
}

/// Lifts a stop: sessions may be asked for again. `false` when there is none in force with this id.
pub async fn lift(kits: &Kits, by: &VendorAdministrator, id: StopId) -> Result<bool, DbError> {
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let Some(scope) = store::lift(&mut tx, now, id, member.user_id).await? else { return Ok(false) };
    let concerned = store::concerned(&mut tx, scope).await?;
    let device = if let Scope::Device(device) = scope { Some(device) } else { None };
    let entry = Entry {
        actor: actor(member),
        what: "emergency_stop_lifted",
        device,
        session: None,
        details: json!({ "scope": word(scope) }),
        readers: std::iter::once(member.organisation_id).chain(concerned).collect(),
    };
    audit::write(&mut tx, now, &kits.random, entry).await?;
    tx.commit().await?;
    Ok(true)
}

/// The stops in force, the newest first.
pub async fn in_force(kits: &Kits) -> Result<Vec<InForce>, DbError> {
    store::in_force(&mut kits.db.read().await?).await
}

/// Why nobody of this installer may enter this device now; nothing when they may.
pub(super) async fn reason(
    tx: &mut Tx,
    installer: OrganisationId,
    device: DeviceId,
) -> Result<Option<String>, DbError> {
    store::reason(tx, installer, device).await
}

const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Everybody => "everybody",
        Scope::Installer(_) => "installer",
        Scope::Device(_) => "device",
    }
}

async fn named(tx: &mut Tx, scope: Scope) -> Result<(Option<DeviceId>, Option<String>), StopRefusal> {
    match scope {
        Scope::Everybody => Ok((None, None)),
        Scope::Installer(id) => {
            let known = accounts::organisation(tx, id).await?.ok_or(StopRefusal::Unknown)?;
            Ok((None, Some(known.name)))
        }
        Scope::Device(id) => {
            devices::device(tx, id).await?.ok_or(StopRefusal::Unknown)?;
            Ok((Some(id), None))
        }
    }
}

/// Kept for the mail of a stop.
pub(super) async fn one(tx: &mut Tx, id: StopId) -> Result<Option<InForce>, DbError> {
    Ok(store::in_force(tx).await?.into_iter().find(|stop| stop.id == id))
}
