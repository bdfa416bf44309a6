//! Looks at a cloud's database, and at what was promised outside it, for invariants that do not hold. Reads only, in
//! bounded memory, beside a running cloud or without one.

mod certificates;
mod receipts;
mod rows;
mod rules;
mod secrets;
mod trail;

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::Context as _;
use gatelodge_cloud::{
    db::{Db, DbUrl},
    kits::Kits,
};
use gatelodge_proto::Clock;
use tokio::sync::watch;

/// How long a cloud may take to do what follows from a right that fell away.
pub const SETTLE: Duration = Duration::from_secs(6);

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The database.
    pub db: Db,
    /// The time by which deadlines are judged.
    pub clock: Clock,
    /// How long to wait before a second look at what may be broken for a moment.
    pub settle: Duration,
    /// Ledgers of receipts, as a simulated fleet writes them.
    pub ledgers: Vec<PathBuf>,
    /// Logs, in which no secret may stand.
    pub logs: Vec<PathBuf>,
}

impl Scope {
    /// The whole database of a running cloud.
    pub const fn of(db: Db, clock: Clock) -> Self {
        Self { db, clock, settle: SETTLE, ledgers: Vec::new(), logs: Vec::new() }
    }
}

/// What is being looked at, for whoever waits.
pub type Progress = watch::Sender<String>;

/// One invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which, like `I4`.
    pub invariant: &'static str,
    /// Where: a table or a file.
    pub place: String,
    /// The first row, line or key there.
    pub row: String,
    /// How many more there are.
    pub more: u64,
    /// What it means.
    pub meaning: String,
    /// What to do.
    pub next: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, place, row, more, meaning, next } = self;
        write!(f, "{invariant}  {place} {row}")?;
        if *more > 0 {
            write!(f, " and {more} more")?;
        }
        write!(f, ": {meaning}; next: {next}")
    }
}

/// What came of a look.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many rules were held against how many rows, in words.
    pub looked_at: String,
    /// What is broken.
    pub findings: Vec<Finding>,
}

/// Looks at everything in `scope`.
pub async fn look(scope: &Scope, progress: &Progress) -> anyhow::Result<Outcome> {
    let mut findings = rules::look(scope, progress).await.context("the tables cannot be read")?;
    let keys = certificates::look(&scope.db, progress).await.context("the certificates cannot be read")?;
    findings.extend(keys.findings);
    let trail = trail::look(&scope.db, progress).await.context("the audit trail cannot be read")?;
    findings.extend(trail.findings);
    let mut receipts = 0;
    for ledger in &scope.ledgers {
        let told = receipts::look(scope, ledger, progress).await?;
        receipts += told.lines;
        findings.extend(told.findings);
    }
    findings.extend(secrets::columns(&scope.db, progress).await.context("the texts cannot be read")?);
    for log in &scope.logs {
        findings.extend(secrets::log(&scope.db, log, progress).await?);
    }
    let looked_at = format!(
        "{} rules, {} certificates, {} audit rows, {receipts} receipts, {} logs",
        rules::COUNT,
        keys.certificates,
        trail.rows,
        scope.logs.len()
    );
    Ok(Outcome { looked_at, findings })
}

/// Every invariant that is held against rows, and what it means when it is broken.
pub fn meanings() -> impl Iterator<Item = (&'static str, &'static str)> {
    rules::meanings().chain(certificates::meanings())
}

/// Fails with everything that does not hold in the database of these kits, as of their clock: nothing may be late.
pub async fn whole(kits: &Kits) -> anyhow::Result<()> {
    held(&Scope { settle: Duration::ZERO, ..Scope::of(kits.db.clone(), kits.clock.clone()) }).await
}

/// Fails with everything that does not hold in `scope`.
pub async fn held(scope: &Scope) -> anyhow::Result<()> {
    let Outcome { findings, .. } = look(scope, &Progress::default()).await?;
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    anyhow::ensure!(lines.is_empty(), "the database is not whole:\n{}", lines.join("\n"));
    Ok(())
}

/// The same for a database that a cloud of its own runs on.
pub async fn held_at(url: &DbUrl, ledgers: Vec<PathBuf>) -> anyhow::Result<()> {
    let db = Db::open_to_read(url).await?;
    let held = held(&Scope { ledgers, ..Scope::of(db.clone(), Clock::system()) }).await;
    db.close().await;
    held
}
