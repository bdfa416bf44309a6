//! The faults by name, what each proves in one line, and how long it goes on by default.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::ValueEnum;
use gatelodge_proto::Random;
use gatelodge_tests::{
    database::{Database, Kind},
    faults::{
        Length, bad_wire, database_away, fleet_away, full_disk, kill_agent, kill_cloud,
        power_cut::{self, During},
        slow_loris, sync_order, wrong_hour,
    },
    namespace,
};

use crate::output;

/// What the full disk says when it is done.
const FITTED: &str = "rights were taken away on a full disk";

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// kill -9 of the cloud on SQLite: what was receipted is kept, nothing is done twice
    KillCloud,
    /// The same on PostgreSQL
    KillCloudPostgres,
    /// kill -9 of the agent: one key, and what stood in its outbox arrives
    KillAgent,
    /// No receipt leaves between a write to the database and its sync, read from the system calls
    SyncOrder,
    /// The agent is cut at every call to its state while it enrols
    PowerCutEnrolment,
    /// The agent is cut at every call to its state while it renews its certificate
    PowerCutRenewal,
    /// 2,000 clients that never finish a request, a handshake or a HELLO, while people sign in
    SlowLoris,
    /// SQLite held by somebody else for 15 seconds under load: everybody is put off, nothing is lost
    LockedDatabase,
    /// PostgreSQL crashes under load, 20 times: the same, without a restart of the cloud
    PostgresRestarts,
    /// The cloud's disk is full: what takes rights away still works
    FullDisk,
    /// The wire of a device is cut without a word: how long it is still shown as there
    CutWire,
    /// Messages come twice and out of order, and connections are reset
    Shuffled,
    /// The cloud is gone for two minutes: its whole fleet is back within three, and never in one crowd
    FleetAway,
    /// An agent that wakes up in 1970, then one ten years ahead
    WrongHour,
}

/// Names and meanings, one a line.
pub(crate) fn list() -> String {
    let mut text = "cargo xtask fault NAME [--rounds N] [--seed N], where NAME is one of:\n".to_owned();
    for value in Scenario::value_variants().iter().filter_map(Scenario::to_possible_value) {
        let meaning = value.get_help().map(ToString::to_string).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<22}{meaning}", value.get_name());
    }
    text.trim_end().to_owned()
}

impl Scenario {
    /// Plays it and says what came of it.
    pub(crate) async fn play(self, rounds: Option<u32>, seed: Option<u64>) -> anyhow::Result<()> {
        let seed = seed.unwrap_or_else(|| Random::system().below(1_000_000));
        let length = |by_default: u32| Length { rounds: rounds.unwrap_or(by_default), seed };
        output::say(&format!("seed {seed}"));
        let began = Instant::now();
        let said = match self {
            Self::KillCloud => Some(kill_cloud::play(Database::sqlite()?, length(200)).await?),
            Self::KillCloudPostgres => {
                let database = Database::fresh(Kind::Postgres).await?.context("there is no PostgreSQL")?;
                Some(kill_cloud::play(database, length(200)).await?)
            }
            Self::KillAgent => Some(kill_agent::play(length(200)).await?),
            Self::SyncOrder => sync_order::play(length(2000)).await?,
            Self::PowerCutEnrolment => power_cut::play(During::Enrolment, 1).await?,
            Self::PowerCutRenewal => power_cut::play(During::Renewal, 1).await?,
            Self::SlowLoris => {
                let clients = usize::try_from(length(2000).rounds)?;
                Some(slow_loris::play(clients, Some(Duration::from_millis(500))).await?)
            }
            Self::LockedDatabase => Some(database_away::locked(Duration::from_secs(15)).await?),
            Self::PostgresRestarts => database_away::restarts(length(20)).await?,
            Self::FullDisk if !namespace::enter(&["full-disk"], FITTED, "the full disk")? => Some(FITTED.to_owned()),
            Self::FullDisk => Some(format!("{FITTED}: {}", full_disk::play().await?)),
            Self::CutWire => Some(bad_wire::cut().await?),
            Self::Shuffled => Some(bad_wire::shuffled(length(60)).await?),
            Self::FleetAway => {
                let Length { rounds, seed } = length(10_000);
                Some(fleet_away::play(usize::try_from(rounds)?, Duration::from_secs(120), seed).await?)
            }
            Self::WrongHour => match wrong_hour::calendar("-56y").await? {
                Some(first) => wrong_hour::calendar("+10y").await?.map(|second| format!("{first}; {second}")),
                None => None,
            },
        };
        let said = said.context("this machine lacks a part: apt-get install strace faketime postgresql")?;
        output::say(&format!("{said} ({:.0?})", began.elapsed()));
        Ok(())
    }
}
