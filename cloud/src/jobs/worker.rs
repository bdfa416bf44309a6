//! The loop that claims due jobs and hands them to their handlers. Each worker is a lane of its own: what is slow in
//! one holds up nothing in another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatelodge_proto::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Bell, Handler, Job, JobError, PATIENCE, pause, store};
use crate::{
    clock::Clock,
    db::{Db, DbError},
};

const LEASE: Duration = Duration::from_secs(120);
/// Jobs that one worker does at a time.
const PERMITS: usize = 8;
const POLL: Duration = Duration::from_secs(2);

/// Does jobs of its kinds until it is told to stop.
pub struct Worker {
    lane: Arc<Lane>,
    bell: Bell,
}

struct Lane {
    db: Db,
    clock: Clock,
    handlers: BTreeMap<&'static str, Handler>,
}

type Running = JoinSet<Result<(), DbError>>;

impl Worker {
    /// A worker for these kinds. Jobs of any other kind are left for a worker that has a handler.
    pub fn new(db: Db, clock: Clock, bell: Bell, handlers: impl IntoIterator<Item = (&'static str, Handler)>) -> Self {
        Self { lane: Arc::new(Lane { db, clock, handlers: handlers.into_iter().collect() }), bell }
    }

    /// Runs until `stop`; then finishes what it has begun. A job that is done makes room for the next at once.
    pub async fn run(self, stop: CancellationToken) {
        let mut bell = self.bell.listen();
        let mut running = Running::new();
        while !stop.is_cancelled() {
            let free = PERMITS - running.len();
            let begun = match self.begin(free, &mut running).await {
                Ok(begun) => begun,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "jobs wait for the database");
                    0
                }
            };
            let full = begun == free;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = running.join_next() => told(ended),
                _ = bell.changed(), if !full => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while let Some(ended) = running.join_next().await {
            told(ended);
        }
    }

    /// Does what is due now, at most as much as one worker does at a time; gives how many jobs there were.
    pub async fn round(&self) -> Result<usize, DbError> {
        let mut running = Running::new();
        let count = self.begin(PERMITS, &mut running).await?;
        while let Some(ended) = running.join_next().await {
            told(ended);
        }
        Ok(count)
    }

    async fn begin(&self, free: usize, running: &mut Running) -> Result<usize, DbError> {
        if free == 0 {
            return Ok(0);
        }
        let kinds: Vec<&str> = self.lane.handlers.keys().copied().collect();
        let now = self.lane.clock.now();
        let mut tx = self.lane.db.write_on_reserve().await?;
        let jobs = store::claim(&mut tx, &kinds, now, now + LEASE, i64::try_from(free).unwrap_or(i64::MAX)).await?;
        tx.commit().await?;
        let count = jobs.len();
        for job in jobs {
            let lane = Arc::clone(&self.lane);
            running.spawn(async move { lane.work(job).await });
        }
        Ok(count)
    }
}

/// A job that could not be settled runs out of its lease and is tried again, as does one whose handler panicked.
fn told(ended: Result<Result<(), DbError>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "what became of a job could not be written");
        }
        Err(error) => tracing::error!(%error, "a job's handler panicked"),
    }
}

impl Lane {
    async fn work(&self, job: Job) -> Result<(), DbError> {
        let outcome = match self.handlers.get(job.kind.as_str()) {
            Some(handler) => handler(job.clone()).await,
            None => Err(JobError::Retry(format!("no handler for jobs of kind {}", job.kind))),
        };
        self.settle(&job, outcome).await
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
