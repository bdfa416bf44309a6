//! The cloud's kits over a fresh database, with a clock set by hand and seeded randomness: for tests that call
//! services in this process.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use gatelodge_cloud::{clock::Clock, config::Config, db::Db, jobs::Bell, kits::Kits};
use gatelodge_proto::{Random, Timestamp};

use crate::database::{Database, Kind};

/// When tests begin, unless they say otherwise: 2027-01-15T08:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Kits over a database of their own.
pub struct TestKits {
    /// What services are handed.
    pub kits: Kits,
    /// Keeps the database there.
    pub database: Database,
    /// Keeps the data folder there.
    pub data_dir: tempfile::TempDir,
}

impl TestKits {
    /// Kits on each kind of database this machine has; a missing PostgreSQL is noted, and refused in CI.
    pub async fn on_each() -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            all.extend(Self::on(kind).await?);
        }
        Ok(all)
    }

    /// Kits on one kind of database.
    pub async fn on(kind: Kind) -> anyhow::Result<Option<Self>> {
        let Some(database) = Database::fresh(kind).await? else { return Ok(None) };
        // The first caller of a process decides; they all choose alike.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data_dir = tempfile::tempdir().context("cannot make a data folder")?;
        let settings = [
            ("GATELODGE__DATA_DIR", data_dir.path().display().to_string()),
            ("GATELODGE__DATABASE__URL", database.url().to_owned()),
        ];
        let config = Config::load(None, settings.map(|(name, value)| (name.to_owned(), value)))?;
        let (clock, random) = (Clock::set_to(START), Random::seeded(1));
        let db = Db::open(&config.database).await?;
        let kits = Kits { config: Arc::new(config), clock, random, db, jobs: Bell::default() };
        Ok(Some(Self { kits, database, data_dir }))
    }

    /// Moves the clock.
    pub fn pass(&self, span: Duration) {
        self.kits.clock.advance(span);
    }
}
