//! A database that is locked or goes away under load: questions are put off with a time to come back, no receipt
//! comes before its commit, and nobody has to start the cloud again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_proto::Random;
use sqlx::{Connection as _, SqliteConnection};

use super::{Length, load::Load};
use crate::{
    cloud::CloudSetup,
    database::{Cluster, Database},
    site::Site,
    speaker::Speaker,
    wait::measure_for,
};

const BACK_WITHIN: Duration = Duration::from_secs(10);
/// What was under way when the lock was taken has arrived by then.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Somebody else holds the SQLite file for so long.
pub async fn locked(span: Duration) -> anyhow::Result<String> {
    let random = Random::system();
    let database = Database::sqlite()?;
    let url = database.url().to_owned();
    let mut site = Site::open(CloudSetup::default().on(database)).await?;
    let unit = site.one().await?;
    let mut device = Speaker::enrol(&site, unit, &random).await?.speak()?;
    let load = Load::start(&site.cloud);
    load.is_answered(BACK_WITHIN).await?;

    let mut other = SqliteConnection::connect(&url).await.context("cannot open the database beside the cloud")?;
    sqlx::raw_sql("PRAGMA busy_timeout = 10000; BEGIN EXCLUSIVE").execute(&mut other).await.context("cannot lock")?;
    measure_for(UNDER_WAY).await;
    let before = (load.tally(), device.ledger().receipts.len());
    measure_for(span.saturating_sub(UNDER_WAY)).await;
    let during = (load.tally(), device.ledger().receipts.len());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.context("cannot unlock")?;
    other.close().await?;
    ensure!(during.1 == before.1, "{} receipts came while nothing could be committed", during.1 - before.1);
    ensure!(during.0.answered == before.0.answered, "a change was answered while nothing could be committed");
    ensure!(during.0.put_off > 0, "in {span:?} nobody was told to come back");
    load.is_answered(BACK_WITHIN).await?;
    load.check()?;
    let ledger = device.settle(BACK_WITHIN).await?;
    let db = site.db().await?;
    device.audit(&db).await?;
    db.close().await;
    ensure!(ledger.receipts.len() > during.1, "no receipt came after the lock was gone");
    Ok(format!("{} questions put off in {span:?}, none answered wrongly", during.0.put_off))
}

/// PostgreSQL is ended and started again so often; `None` when this machine has none.
pub async fn restarts(length: Length) -> anyhow::Result<Option<String>> {
    let random = Random::seeded(length.seed);
    let Some(cluster) = Cluster::start().await? else { return Ok(None) };
    let mut site = Site::open(CloudSetup::default().on(Database::of(&cluster).await?)).await?;
    let mut speaking = Vec::new();
    for unit in site.make(3).await? {
        speaking.push(Speaker::enrol(&site, unit, &random).await?.speak()?);
    }
    let load = Load::start(&site.cloud);
    load.is_answered(BACK_WITHIN).await?;
    for round in 1..=length.rounds {
        let again = async {
            measure_for(Duration::from_millis(random.below(700))).await;
            cluster.restart().await?;
            load.is_answered(BACK_WITHIN).await?;
            load.check()
        };
        again.await.with_context(|| format!("restart {round}, seed {}", length.seed))?;
    }
    let mut receipts = 0;
    for device in &mut speaking {
        device.settle(BACK_WITHIN * 2).await?;
    }
    let db = site.db().await?;
    for device in &speaking {
        receipts += device.audit(&db).await?;
    }
    db.close().await;
    site.whole().await.with_context(|| format!("seed {}", length.seed))?;
    let tally = load.tally();
    Ok(Some(format!(
        "{} restarts, {receipts} receipts, {} questions answered and {} put off",
        length.rounds, tally.answered, tally.put_off
    )))
}
