//! The loop that claims due jobs and hands them to their handlers.

use std::{collections::BTreeMap, time::Duration};

use gatelodge_proto::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Bell, Handler, Job, JobError, PATIENCE, pause, store};
use crate::{
    clock::Clock,
    db::{Db, DbError},
};

const LEASE: Duration = Duration::from_secs(120);
const BATCH: i64 = 8;
const POLL: Duration = Duration::from_secs(2);

/// Does jobs until it is told to stop.
pub struct Worker {
    db: Db,
    clock: Clock,
    bell: Bell,
    handlers: BTreeMap<&'static str, Handler>,
}

impl Worker {
    /// A worker for these kinds. A kind without a handler is left for a node that has one.
    pub fn new(db: Db, clock: Clock, bell: Bell, handlers: impl IntoIterator<Item = (&'static str, Handler)>) -> Self {
        Self { db, clock, bell, handlers: handlers.into_iter().collect() }
    }

    /// Runs until `stop`; then finishes what it has begun.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let busy = match self.round().await {
                Ok(count) => count > 0,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "jobs wait for the database");
                    false
                }
            };
            if stop.is_cancelled() {
                return;
            }
            if !busy {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.bell.heard() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    /// Claims what is due and does it; gives how many jobs there were.
    pub async fn round(&self) -> Result<usize, DbError> {
        let now = self.clock.now();
        let mut tx = self.db.write_on_reserve().await?;
        let jobs = store::claim(&mut tx, now, now + LEASE, BATCH).await?;
        tx.commit().await?;
        let count = jobs.len();
        let mut running = JoinSet::new();
        for job in jobs {
            let handler = self.handlers.get(job.kind.as_str()).cloned();
            running.spawn(async move {
                let outcome = match handler {
                    Some(handler) => handler(job.clone()).await,
                    None => Err(JobError::Retry(format!("no handler for jobs of kind {}", job.kind))),
                };
                (job, outcome)
            });
        }
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok((job, outcome)) => self.settle(&job, outcome).await?,
                // Its lease runs out and it is tried again.
                Err(error) => tracing::error!(%error, "a job's handler panicked"),
            }
        }
        Ok(count)
    }

    async fn settle(&self, job: &Job, outcome: Result<(), JobError>) -> Result<(), DbError> {
        let now: Timestamp = self.clock.now();
        let mut tx = self.db.write_on_reserve().await?;
        match outcome {
            Ok(()) => store::done(&mut tx, job.id).await?,
            Err(JobError::Retry(reason)) if now.since(job.created_at) < PATIENCE => {
                tracing::info!(job = %job.id, kind = job.kind, attempt = job.attempt, reason, "a job will be tried again");
                store::retry(&mut tx, job.id, now + pause(job.attempt), &reason).await?;
            }
            Err(JobError::Retry(reason) | JobError::Fail(reason)) => {
                tracing::error!(job = %job.id, kind = job.kind, reason, "a job was set aside");
                store::set_aside(&mut tx, job.id, &reason).await?;
            }
        }
        tx.commit().await
    }
}
