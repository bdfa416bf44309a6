//! What a device tells about its sessions. A device speaks of its own sessions alone, and what it says twice counts
//! once.

use futures_util::future::BoxFuture;
use gatelodge_proto::{
    DeviceId, SessionId, Timestamp,
    payload::{EndReason, Event, FlowOutcome, FlowRow, Happening, KeptEnd, SessionOrder},
};
use serde_json::{Value, json};

use super::{
    decide::{self, OpenRefusal},
    end::finish,
    extend::{self, heard},
    grant, key,
    machine::Found,
    model::Traffic,
    record::{self, record},
    store,
};
use crate::{
    audit::{self, Entry},
    db::{DbError, Tx},
    devices::service::{self as devices, SessionEvents},
    kits::Kits,
};

const LONGEST_TARGET: usize = 200;

/// The sessions' ear at the registrar.
#[derive(Debug, Clone, Copy)]
pub struct Ear;

impl SessionEvents for Ear {
    fn happened<'a>(
        &'a self,
        tx: &'a mut Tx,
        kits: &'a Kits,
        device: DeviceId,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(take_in(tx, kits, device, event))
    }

    fn unopened<'a>(
        &'a self,
        tx: &'a mut Tx,
        kits: &'a Kits,
        device: DeviceId,
        order: &'a SessionOrder,
        reason: EndReason,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(unopened(tx, kits, device, order, reason))
    }
}

/// Ends a session that its device does not open, rather than let the technician wait for nobody.
async fn unopened(
    tx: &mut Tx,
    kits: &Kits,
    device: DeviceId,
    order: &SessionOrder,
    reason: EndReason,
) -> Result<(), DbError> {
    let Ok(grant) = order.grant.verify(&kits.pki.grant_public_key()) else { return Ok(()) };
    let Some(found) = own(tx, device, grant.session).await? else { return Ok(()) };
    finish(tx, kits, found, reason, record::device(device)).await.map(drop)
}

/// Takes an event of `device` in, within the transaction that commits the message. Events that are none of a session's
/// leave everything as it is.
pub async fn take_in(tx: &mut Tx, kits: &Kits, device: DeviceId, event: &Event) -> Result<(), DbError> {
    match &event.what {
        Happening::OnSiteCodeShown { .. } => Ok(()),
        Happening::ConsentPressed { session, draft, allowed } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            match found {
                Found::Waiting(waiting) => decide::pressed(tx, kits, waiting, *draft, *allowed).await,
                Found::Open(open) => extend::pressed(tx, kits, open, *draft, *allowed).await,
                Found::Refused(_) | Found::Ended(_) => Ok(()),
            }
        }
        Happening::KeyPinned { pin, key } => {
            key::was_pinned(tx, device, *pin, key, kits.now()).await?;
            hold(tx, kits, device, "key_pinned", json!({ "fingerprint": key.fingerprint() })).await?;
            key::enqueue_mails(tx, kits, device, &key.fingerprint(), None).await?;
            ask_again(tx, kits, device).await
        }
        Happening::KeyDeclined { key } => {
            key::declined(tx, device, key).await?;
            hold(tx, kits, device, "key_declined", json!({ "fingerprint": key.fingerprint() })).await
        }
        Happening::KeyForgotten { pin, by } => {
            let Some(gone) = key::pinned(tx, device).await?.filter(|pinned| pinned.pin == *pin) else { return Ok(()) };
            if !key::forgotten(tx, device, *pin).await? {
                return Ok(());
            }
            hold(tx, kits, device, "key_forgotten", json!({ "by": by.word() })).await?;
            key::enqueue_mails(tx, kits, device, &gone.key.fingerprint(), Some(*by)).await?;
            ask_again(tx, kits, device).await
        }
        Happening::SessionJoined { session, end } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            let details = kept(*end, found.opened_at());
            record(tx, kits, found.ask(), record::device(device), "session_joined", details).await?;
            heard(tx, kits, found, Some(*end), None).await
        }
        Happening::FlowOpened { .. } | Happening::FlowClosed { .. } => {
            let Ok((session, row)) = FlowRow::of(event.what.clone()) else { return Ok(()) };
            let Some(found) = own(tx, device, session).await? else { return Ok(()) };
            flow(tx, kits, &found, event.at, &row).await
        }
        Happening::Flows { session, rows } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            for row in rows {
                flow(tx, kits, &found, event.at, row).await?;
            }
            Ok(())
        }
        Happening::RecordCutShort { session } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            record(tx, kits, found.ask(), record::device(device), "session_record_cut_short", json!({})).await
        }
        Happening::SessionExtended { session, end } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            let details = kept(*end, found.opened_at());
            record(tx, kits, found.ask(), record::device(device), "session_extended_on_device", details).await?;
            heard(tx, kits, found, Some(*end), None).await
        }
        Happening::ExtensionRefused { session, end, reason } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            if end.is_none() && !found.is_joined() {
                // Whoever joins brings the newest grant.
                return Ok(());
            }
            let details = json!({ "reason": reason.word() });
            record(tx, kits, found.ask(), record::device(device), "session_extension_refused", details).await?;
            heard(tx, kits, found, *end, Some(*reason)).await
        }
        Happening::SessionEnded { session, reason, bytes_up, bytes_down } => {
            let Some(found) = own(tx, device, *session).await? else { return Ok(()) };
            store::count_bytes(tx, *session, Traffic { up: *bytes_up, down: *bytes_down }).await?;
            finish(tx, kits, found, *reason, record::device(device)).await.map(drop)
        }
    }
}

/// Writes down what became of the customer's key on a device, for whoever is bound to the device now.
async fn hold(tx: &mut Tx, kits: &Kits, device: DeviceId, what: &'static str, details: Value) -> Result<(), DbError> {
    let readers = devices::readers(tx, device).await?;
    let actor = record::device(device);
    audit::write(
        tx,
        kits.now(),
        &kits.random,
        Entry { actor, what, device: Some(device), session: None, details, readers },
    )
    .await
}

/// With its key a device forgets whom it showed: those who wait are asked for once more.
async fn ask_again(tx: &mut Tx, kits: &Kits, device: DeviceId) -> Result<(), DbError> {
    for id in store::waiting_on(tx, device).await? {
        if let Some(Found::Waiting(waiting)) = store::hold(tx, id).await? {
            grant::want_to_open(tx, kits, &waiting).await.or_else(OpenRefusal::passing)?;
        }
    }
    Ok(())
}

/// The end that a device keeps, as details; where it has cut what was granted, the minutes that the session lasts in all.
fn kept(end: KeptEnd, opened_at: Option<Timestamp>) -> Value {
    let mut details = json!({ "until": end.until.to_string() });
    if end.until < end.granted {
        let minutes = opened_at.map(|opened| (end.until.since(opened).as_secs() + 30) / 60);
        details["granted"] = json!(end.granted.to_string());
        details["minutes"] = json!(minutes);
    }
    details
}

/// One row of a session; what comes twice changes nothing.
async fn flow(tx: &mut Tx, kits: &Kits, found: &Found, at: Timestamp, row: &FlowRow) -> Result<(), DbError> {
    let (ask, at) = (found.ask(), believable(at, found, kits));
    let (what, details) = match row {
        FlowRow::Opened { flow, target, outcome } => {
            let (target, open) = (plain(target), *outcome == FlowOutcome::Opened);
            if !store::open_flow(tx, ask.id, *flow, &target, outcome.word(), at, open).await? {
                return Ok(());
            }
            let details = json!({ "flow": flow, "target": target, "outcome": outcome.word() });
            (if open { "flow_opened" } else { "flow_refused" }, details)
        }
        FlowRow::Closed { flow, bytes_up, bytes_down, duration_ms } => {
            let traffic = Traffic { up: *bytes_up, down: *bytes_down };
            let Some(target) = store::close_flow(tx, ask.id, *flow, at, traffic).await? else { return Ok(()) };
            let details = json!({
                "flow": flow, "target": target, "bytes_up": bytes_up, "bytes_down": bytes_down, "milliseconds": duration_ms,
            });
            ("flow_closed", details)
        }
    };
    record(tx, kits, ask, record::device(ask.device), what, details).await
}

/// A session of this device.
async fn own(tx: &mut Tx, device: DeviceId, session: SessionId) -> Result<Option<Found>, DbError> {
    let found = store::hold(tx, session).await?.filter(|found| found.ask().device == device);
    if found.is_none() {
        tracing::warn!(%device, %session, "a device spoke of a session that is not its own");
    }
    Ok(found)
}

/// The device's time where it can be true, else ours: its clock may be wrong.
fn believable(at: Timestamp, found: &Found, kits: &Kits) -> Timestamp {
    let now = kits.now();
    if at >= found.ask().requested_at && at <= now { at } else { now }
}

/// What a device wrote, short and printable.
fn plain(target: &str) -> String {
    target.chars().filter(|c| !c.is_control()).take(LONGEST_TARGET).collect()
}
