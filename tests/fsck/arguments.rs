//! The command line, and the scope it stands for.

use std::path::PathBuf;

use clap::Parser;
use gatelodge_cloud::{
    config::Config,
    db::{Db, DbUrl},
};
use gatelodge_proto::Clock;
use gatelodge_tests::fsck::Scope;

/// Checks that a cloud's database is whole: owners, certificates, links, messages, sessions and the audit trail.
///
/// Reads only, in a snapshot of its own, so that it may run beside the cloud. What a running cloud mends within seconds
/// is looked at twice, six seconds apart.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-fsck",
    after_help = "Examples:\n  \
        The database of a cloud, by its settings:\n    gatelodge-fsck --config /etc/gatelodge/cloud.toml\n  \
        A restored backup, before a cloud is started on it:\n    gatelodge-fsck --database sqlite:/srv/restored/gatelodge.db\n  \
        With what a simulated fleet was promised, and the cloud's log:\n    gatelodge-fsck --config cloud.toml --ledger fleet/ledger.jsonl --log cloud.log\n\n\
        Each line has the invariant, the table and row, what it means and what to do next.\n\
        Exit codes: 0 whole, 1 broken, 2 it could not look."
)]
pub(crate) struct Arguments {
    /// The cloud's configuration file; defaults and GATELODGE__ variables alone when neither this nor --database is given
    #[arg(long, env = "GATELODGE_CONFIG", value_name = "FILE", conflicts_with = "database")]
    config: Option<PathBuf>,
    /// The database itself: sqlite:PATH or postgres://user:password@host/name
    #[arg(long, value_name = "URL")]
    database: Option<DbUrl>,
    /// A ledger of receipts, as gatelodge-sim writes it; may be given several times
    #[arg(long = "ledger", value_name = "FILE")]
    ledgers: Vec<PathBuf>,
    /// A log in which no secret may stand; may be given several times
    #[arg(long = "log", value_name = "FILE")]
    logs: Vec<PathBuf>,
}

impl Arguments {
    pub(crate) fn database(&self) -> anyhow::Result<DbUrl> {
        match &self.database {
            Some(url) => Ok(url.clone()),
            None => Ok(Config::load(self.config.as_deref(), std::env::vars())?.database),
        }
    }

    pub(crate) fn scope(self, db: Db) -> Scope {
        Scope { ledgers: self.ledgers, logs: self.logs, ..Scope::of(db, Clock::system()) }
    }
}
