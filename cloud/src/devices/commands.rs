//! What the cloud asks of devices: written with the change that causes it, delivered at once to a device that is
//! there, offered again each time it comes back, until its result is in or its deadline has passed.

use std::time::Duration;

use gatelodge_proto::{
    CommandId, DeviceId, Random, Timestamp,
    identity::WebAddress,
    link::Outgoing,
    opening::Opening,
    payload::{self, Command, CommandResult, Consent, DeviceState, EndReason, Order, Outcome, SessionOrder},
    topics::{Down, Topic},
};
use serde_json::json;

use super::{jobs::DELIVER, store};
use crate::{
    db::{DbError, Tx},
    jobs,
    kits::Kits,
};

/// How long a device that is away may take to learn its state.
const STATE_DEADLINE: Duration = Duration::from_secs(365 * 86_400);
/// A shown code lapses by itself after a quarter of an hour.
const CODE_DEADLINE: Duration = Duration::from_secs(900);
/// The endpoint drops a command that it could not deliver for so long; the device gets it when it comes back.
const ON_THE_WAY: Duration = Duration::from_secs(30);

/// Writes a command for a device in its present epoch; ring `kits.jobs` after the commit. `None` when there is no
/// such device.
pub async fn send(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
    order: Order,
    deadline: Timestamp,
) -> Result<Option<CommandId>, DbError> {
    let Some(row) = store::inventory::by_id(tx, device).await? else { return Ok(None) };
    let command = Command { id: CommandId::make(now, random), issued_at: now, deadline, epoch: row.epoch, order };
    store::commands::insert(tx, device, &command).await?;
    jobs::enqueue(tx, now, random, DELIVER, &json!({ "device": device }), now).await?;
    Ok(Some(command.id))
}

/// What a device is told about its registration; the rest of its state follows from its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrant {
    /// For whom it is active.
    pub customer: Option<String>,
    /// By which installer it was registered.
    pub installer: Option<String>,
    /// Its web address.
    pub web_address: Option<WebAddress>,
    /// The consent in force.
    pub consent: Consent,
    /// What the customer's rule says beside it.
    pub opening: Opening,
}

impl Registrant {
    /// Nobody: the device is not registered.
    pub const NOBODY: Self = Self {
        customer: None,
        installer: None,
        web_address: None,
        consent: Consent::Never,
        opening: Opening { hours: None, open_until: None, break_glass: None },
    };
}

/// Tells a device where it stands, in place of whatever it was told and has not taken yet. Call it after the change
/// of life in the same transaction; ring `kits.jobs` after the commit.
pub async fn tell_state(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
    registrant: Registrant,
) -> Result<Option<CommandId>, DbError> {
    let Some(row) = store::inventory::by_id(tx, device).await? else { return Ok(None) };
    let version = store::inventory::next_state_version(tx, device).await?;
    for command in store::commands::waiting(tx, now, device).await? {
        if matches!(command.order, Order::State(_)) {
            store::commands::replace(tx, now, command.id).await?;
        }
    }
    let state = DeviceState {
        epoch: row.epoch,
        version,
        life: row.life,
        customer: registrant.customer,
        installer: registrant.installer,
        web_address: registrant.web_address.map(|address| address.to_string()),
        consent: registrant.consent,
        opening: registrant.opening,
    };
    send(tx, now, random, device, Order::State(state), now + STATE_DEADLINE).await
}

/// Tells a device that lost its state, as with a new key, what it was told last.
pub(super) async fn tell_state_again(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    device: DeviceId,
) -> Result<(), DbError> {
    let Some(row) = store::inventory::by_id(tx, device).await? else { return Ok(()) };
    let told = store::commands::all_of_epoch(tx, device, row.epoch).await?;
    let last = told.into_iter().find_map(|command| match command.order {
        Order::State(state) => Some(state),
        _ => None,
    });
    let registrant = match last {
        Some(state) => Registrant {
            customer: state.customer,
            installer: state.installer,
            web_address: state.web_address.and_then(|address| address.parse().ok()),
            consent: state.consent,
            opening: state.opening,
        },
        None => Registrant::NOBODY,
    };
    tell_state(tx, now, random, device, registrant).await?;
    Ok(())
}

/// Asks a device to show another on-site code.
pub(super) async fn renew_code(tx: &mut Tx, now: Timestamp, random: &Random, device: DeviceId) -> Result<(), DbError> {
    send(tx, now, random, device, Order::RenewOnSiteCode, now + CODE_DEADLINE).await?;
    Ok(())
}

/// A session that a device was told to open and does not.
#[derive(Debug, Clone)]
pub(super) struct Unopened {
    pub(super) order: SessionOrder,
    pub(super) reason: EndReason,
}

/// Takes a result in. Gives what the sessions feature has to hear of it.
pub(super) async fn take_result(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    result: &CommandResult,
) -> Result<Option<Unopened>, DbError> {
    let (state, sentence, end) = match &result.outcome {
        Outcome::Done => ("done", None, None),
        Outcome::Refused { reason, end } => {
            let end = end.filter(|end| end.is_refusal()).unwrap_or(EndReason::Refused);
            ("refused", Some(reason.as_str()), Some(end))
        }
        Outcome::Failed { reason } => ("failed", Some(reason.as_str()), Some(EndReason::DeviceFault)),
    };
    let ended = store::commands::end(tx, now, device, result.command, state, sentence).await?;
    Ok(match (ended.map(|command| command.order), end) {
        (Some(Order::OpenSession(order)), Some(reason)) => Some(Unopened { order: *order, reason }),
        (Some(_) | None, _) => None,
    })
}

/// A command as it travels.
pub(super) fn outgoing(device: DeviceId, command: &Command) -> Outgoing {
    Outgoing::json(Topic::Down(device, Down::Command), payload::encode(command)).expiring(ON_THE_WAY)
}

/// Offers everything a device still has to do, if it is there.
pub(super) async fn deliver(kits: &Kits, device: DeviceId) -> Result<(), DbError> {
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let waiting = match store::inventory::by_id(&mut tx, device).await? {
        Some(row) if row.online => store::commands::waiting(&mut tx, now, device).await?,
        _ => Vec::new(),
    };
    drop(tx);
    let mut sent = Vec::with_capacity(waiting.len());
    for command in &waiting {
        match kits.endpoint.publish(outgoing(device, command)).await {
            Ok(()) => sent.push(command.id),
            // It is offered again when the device next says that it is there.
            Err(error) => tracing::debug!(%device, %error, "a command was not delivered"),
        }
    }
    if !sent.is_empty() {
        let mut tx = kits.db.write_on_reserve().await?;
        for id in sent {
            store::commands::sent(&mut tx, now, id).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
