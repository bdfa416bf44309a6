//! The cloud's kits over a fresh database, with a clock set by hand and seeded randomness: for tests that call
//! services in this process.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use gatelodge_cloud::{
    clock::Clock,
    config::Config,
    db::Db,
    jobs::Bell,
    kits::Kits,
    limits::Limits,
    mail::Mailer,
    mqtt::Endpoint,
    pki::{Names, Pki},
};
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

    /// Kits on one kind of database, at [`START`] until the clock is moved.
    pub async fn on(kind: Kind) -> anyhow::Result<Option<Self>> {
        Self::with_clock(kind, Clock::set_to(START)).await
    }

    /// Kits whose certificates real TLS peers accept: they live in the system's time.
    pub async fn in_real_time(kind: Kind) -> anyhow::Result<Option<Self>> {
        Self::with_clock(kind, Clock::system()).await
    }

    async fn with_clock(kind: Kind, clock: Clock) -> anyhow::Result<Option<Self>> {
        let Some(database) = Database::fresh(kind).await? else { return Ok(None) };
        // The first caller of a process decides; they all choose alike.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data_dir = tempfile::tempdir().context("cannot make a data folder")?;
        let settings = [
            ("GATELODGE__DATA_DIR", data_dir.path().display().to_string()),
            ("GATELODGE__DATABASE__URL", database.url().to_owned()),
            ("GATELODGE__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
            ("GATELODGE__MQTT__LISTEN", "127.0.0.1:0".to_owned()),
            ("GATELODGE__SESSIONS__SECOND_FACTOR", "when_set_up".to_owned()),
        ];
        let config = Config::load(None, settings.map(|(name, value)| (name.to_owned(), value)))?;
        let random = Random::seeded(1);
        let db = Db::open(&config.database).await?;
        let pki = Arc::new(Pki::open(&config.data_dir, &clock, &random, &Names::from_config(&config))?);
        let mailer = Mailer::open(&config.mail, db.clone(), clock.clone())?;
        let (config, jobs, endpoint) = (Arc::new(config), Bell::default(), Endpoint::new());
        let kits = Kits { config, clock, random, db, pki, mailer, endpoint, jobs, limits: Limits::default() };
        Ok(Some(Self { kits, database, data_dir }))
    }

    /// The same settings and keys over another database, at [`START`] and with its own randomness: cheap to make.
    pub async fn over(&self, database: Database) -> anyhow::Result<Self> {
        let clock = Clock::set_to(START);
        let db = Db::open(&database.url().parse()?).await?;
        let mailer = Mailer::open(&self.kits.config.mail, db.clone(), clock.clone())?;
        let (random, limits) = (Random::seeded(2), Limits::default());
        let (jobs, endpoint) = (Bell::default(), Endpoint::new());
        let kits = Kits { clock, random, db, mailer, jobs, endpoint, limits, ..self.kits.clone() };
        Ok(Self { kits, database, data_dir: tempfile::tempdir().context("cannot make a data folder")? })
    }

    /// Moves the clock.
    pub fn pass(&self, span: Duration) {
        self.kits.clock.advance(span);
    }
}
