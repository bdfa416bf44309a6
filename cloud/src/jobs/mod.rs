//! Background work kept in the database: written in the transaction that causes it, done at least once, retried with
//! growing pauses, set aside when it cannot be done. Knows no kind of job.

mod store;
mod worker;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use gatelodge_proto::{CommandId, Random, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::db::{DbError, Tx};
pub use worker::Worker;

/// How long a job is tried before it is set aside.
pub const PATIENCE: Duration = Duration::from_secs(72 * 3600);

/// One job as its handler gets it. The same id may come again after a crash: a handler is idempotent.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id; the same at each try.
    pub id: Uuid,
    /// What kind.
    pub kind: String,
    /// What it was written with.
    pub payload: Value,
    /// Which try this is, from 1.
    pub attempt: i32,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Try again later.
    #[error("{0}")]
    Retry(String),
    /// Never; a person has to look.
    #[error("{0}")]
    Fail(String),
}

impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self::Retry(format!("{error}"))
    }
}

/// What does one kind of job.
pub type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync>;

/// Wakes the workers of this node; jobs of other nodes are found within seconds without it.
#[derive(Debug, Clone, Default)]
pub struct Bell(watch::Sender<()>);

impl Bell {
    /// Call after the commit of a transaction that wrote a job.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// What changes each time it rings.
    fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// Writes a job to be done at `run_at`; ring the [`Bell`] after the commit.
pub async fn enqueue(
    tx: &mut Tx,
    now: Timestamp,
    random: &Random,
    kind: &'static str,
    payload: &(impl Serialize + Sync),
    run_at: Timestamp,
) -> Result<(), DbError> {
    let id = CommandId::make(now, random).uuid();
    let payload = serde_json::to_value(payload).map_err(DbError::corrupt)?;
    store::insert(tx, id, kind, &payload, now, run_at).await
}

/// The pause before the next try: 5 s, doubled each time, an hour at most.
fn pause(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 12) - 1).unwrap_or(0);
    Duration::from_secs((5u64 << doublings).min(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!([1, 2, 3, 11, 100].map(|attempt| pause(attempt).as_secs()), [5, 10, 20, 3600, 3600]);
    }
}
