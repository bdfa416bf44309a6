//! The audit trail: what happened, who did it, and which organisations may read it. Append-only, each row holding the
//! one before by its hash; written in the transaction of the change it tells of. Never decides anything.

mod chain;
mod verify;

pub use verify::{Broken, ChainFault, Length, Seen, verify};

use gatelodge_proto::{DeviceId, OrganisationId, Random, SessionId, Timestamp, UserId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use self::chain::Facts;
use crate::{
    change,
    db::{DbError, Ts, Tx},
    run,
};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user, under the name of that moment.
    User {
        /// Which.
        id: UserId,
        /// The name shown.
        name: String,
    },
    /// A device by its own message.
    Device {
        /// Which.
        id: DeviceId,
        /// The name shown.
        name: String,
    },
    /// The cloud itself: a deadline, a lease, a job.
    Cloud,
    /// Somebody at the vendor's command line.
    Operator(String),
}

impl Actor {
    fn columns(&self) -> (&'static str, Option<Uuid>, &str) {
        match self {
            Self::User { id, name } => ("user", Some(id.uuid()), name),
            Self::Device { id, name } => ("device", Some(id.uuid()), name),
            Self::Cloud => ("cloud", None, "Gatelodge"),
            Self::Operator(name) => ("operator", None, name),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who did it.
    pub actor: Actor,
    /// What, as a stable word like `device_registered`; pages say it by the locale key `audit-device-registered`.
    pub what: &'static str,
    /// On which device.
    pub device: Option<DeviceId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// More, for people; arguments of the locale key.
    pub details: Value,
    /// Who may read it. A later owner is never among them.
    pub readers: Vec<OrganisationId>,
}

/// One row as a reader sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// Its id, in time order.
    pub id: Uuid,
    /// When.
    pub at: Ts,
    /// `user`, `device`, `cloud` or `operator`.
    pub actor_kind: String,
    /// The name at that moment.
    pub actor_name: String,
    /// What.
    pub what: String,
    /// On which device.
    pub device_id: Option<Uuid>,
    /// In which session.
    pub session_id: Option<Uuid>,
    /// More.
    pub details: Json<Value>,
    /// Whose chain it is a link of.
    pub chain: Uuid,
    /// Which link.
    pub place: i64,
    /// The hash that the next link holds.
    pub hash: Vec<u8>,
}

/// Writes one row, as the next link of its chain: that of the device it tells of, else of the user who did it, else of
/// the cloud itself. Whoever else writes to the same chain waits until the transaction ends.
pub async fn write(tx: &mut Tx, now: Timestamp, random: &Random, entry: Entry) -> Result<(), DbError> {
    let id = gatelodge_proto::CommandId::make(now, random).uuid();
    let (actor_kind, actor_id, actor_name) = entry.actor.columns();
    let device = entry.device.map(DeviceId::uuid);
    let session = entry.session.map(SessionId::uuid);
    let chain = device.or(actor_id).unwrap_or(Uuid::nil());
    let (length, before) = run!(tx, c => sqlx::query_as::<_, (i64, Vec<u8>)>(
        "INSERT INTO audit_chain (id, length, head) VALUES ($1, 1, $2)
         ON CONFLICT (id) DO UPDATE SET length = audit_chain.length + 1 RETURNING length, head",
    )
    .bind(chain)
    .bind(chain::START.to_vec())
    .fetch_one(c))?;
    let salt: [u8; 16] = random.bytes();
    let words = chain::words(&salt, actor_name, &entry.details);
    let facts = Facts {
        chain,
        place: length,
        id,
        at: Ts::from(now).0,
        actor_kind,
        actor: actor_id,
        what: entry.what,
        device,
        session,
        words: &words,
    };
    let hash = chain::link(&before, &facts);
    change!(tx, c => sqlx::query("UPDATE audit_chain SET head = $2 WHERE id = $1")
        .bind(chain)
        .bind(hash.to_vec())
        .execute(c))?;
    change!(tx, c => sqlx::query(
        "INSERT INTO audit_row (id, at, actor_kind, actor_id, actor_name, what, device_id, session_id, details,
             chain, place, hash, salt, words)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id)
    .bind(Ts::from(now))
    .bind(actor_kind)
    .bind(actor_id)
    .bind(actor_name)
    .bind(entry.what)
    .bind(device)
    .bind(session)
    .bind(Json(&entry.details))
    .bind(chain)
    .bind(length)
    .bind(hash.to_vec())
    .bind(salt.to_vec())
    .bind(words.to_vec())
    .execute(c))?;
    for reader in &entry.readers {
        change!(tx, c => sqlx::query(
            "INSERT INTO audit_reader (organisation_id, audit_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(reader.uuid())
        .bind(id)
        .execute(c))?;
    }
    Ok(())
}

/// The newest rows that `organisation` may read, before the row `before` when given, on one device when given.
pub async fn read(
    tx: &mut Tx,
    organisation: OrganisationId,
    device: Option<DeviceId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    // Both filters are always bound: the greatest UUID and the any-device flag stand for "no filter".
    run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT a.id, a.at, a.actor_kind, a.actor_name, a.what, a.device_id, a.session_id, a.details, a.chain, a.place, a.hash
         FROM audit_row a JOIN audit_reader r ON r.audit_id = a.id
         WHERE r.organisation_id = $1 AND a.id < $2 AND ($3 OR a.device_id = $4)
         ORDER BY a.id DESC LIMIT $5",
    )
    .bind(organisation.uuid())
    .bind(before.unwrap_or(Uuid::max()))
    .bind(device.is_none())
    .bind(device.map_or(Uuid::nil(), DeviceId::uuid))
    .bind(limit)
    .fetch_all(c))
}

/// The oldest rows that `organisation` may read, after the row `after` when given, on one device when given.
pub async fn read_on(
    tx: &mut Tx,
    organisation: OrganisationId,
    device: Option<DeviceId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    run!(tx, c => sqlx::query_as::<_, Row>(
        "SELECT a.id, a.at, a.actor_kind, a.actor_name, a.what, a.device_id, a.session_id, a.details, a.chain, a.place, a.hash
         FROM audit_row a JOIN audit_reader r ON r.audit_id = a.id
         WHERE r.organisation_id = $1 AND a.id > $2 AND ($3 OR a.device_id = $4)
         ORDER BY a.id LIMIT $5",
    )
    .bind(organisation.uuid())
    .bind(after.unwrap_or(Uuid::nil()))
    .bind(device.is_none())
    .bind(device.map_or(Uuid::nil(), DeviceId::uuid))
    .bind(limit)
    .fetch_all(c))
}

/// Lets `with` read what `from` may read of a device since `since`: the history of one registration, which its customer
/// joins at activation. What happened before, under another owner, stays out.
pub async fn share(
    tx: &mut Tx,
    device: DeviceId,
    since: Timestamp,
    from: OrganisationId,
    with: OrganisationId,
) -> Result<(), DbError> {
    change!(tx, c => sqlx::query(
        "INSERT INTO audit_reader (organisation_id, audit_id)
         SELECT $1, a.id FROM audit_row a JOIN audit_reader r ON r.audit_id = a.id
         WHERE a.device_id = $2 AND a.at >= $3 AND r.organisation_id = $4
         ON CONFLICT DO NOTHING",
    )
    .bind(with.uuid())
    .bind(device.uuid())
    .bind(Ts::from(since))
    .bind(from.uuid())
    .execute(c))?;
    Ok(())
}
