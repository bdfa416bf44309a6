//! `kill -9` of the cloud at drawn moments, with devices that speak all the time: what was receipted is kept, and
//! nothing is done twice.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_proto::Random;

use super::Length;
use crate::{
    cloud::CloudSetup,
    database::Database,
    site::Site,
    speaker::{Speaker, Speaking},
    wait::measure_for,
};

const DEVICES: u32 = 4;
/// How long the cloud lives in a round, at most.
const LONGEST_LIFE_MS: u64 = 1200;

/// Plays it on that database.
pub async fn play(database: Database, length: Length) -> anyhow::Result<String> {
    let random = Random::seeded(length.seed);
    let mut site = Site::open(CloudSetup::default().on(database)).await?;
    let mut speaking = Vec::new();
    for unit in site.make(DEVICES).await? {
        speaking.push(Speaker::enrol(&site, unit, &random).await?.speak()?);
    }
    let db = site.db().await?;
    for round in 1..=length.rounds {
        let mut killed = async || {
            measure_for(Duration::from_millis(random.below(LONGEST_LIFE_MS))).await;
            site.cloud.kill()?;
            site.cloud.serve().await?;
            audit(&speaking, &db).await
        };
        killed().await.with_context(|| format!("round {round}, seed {}", length.seed))?;
        if round % 5 == 0 {
            // A certificate that was handed out connects after the next kill, too.
            let unit = site.one().await?;
            speaking.push(Speaker::enrol(&site, unit, &random).await?.speak()?);
        }
    }
    for device in &mut speaking {
        device.settle(Duration::from_secs(120)).await.with_context(|| format!("seed {}", length.seed))?;
    }
    let receipts = audit(&speaking, &db).await?;
    ensure!(receipts > 0, "no receipt ever came");
    db.close().await;
    site.whole().await.with_context(|| format!("seed {}", length.seed))?;
    Ok(format!("{} kills, {} devices, {receipts} receipts, none lost, nothing doubled", length.rounds, speaking.len()))
}

async fn audit(speaking: &[Speaking], db: &gatelodge_cloud::db::Db) -> anyhow::Result<usize> {
    let mut receipts = 0;
    for device in speaking {
        receipts += device.audit(db).await?;
    }
    Ok(receipts)
}
