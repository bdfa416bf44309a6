//! `kill -9`, and what may never be lost by it.

use gatelodge_proto::Random;
use gatelodge_tests::{
    database::{Database, Kind},
    faults::{Length, kill_agent, kill_cloud, sync_order},
};

/// A failure names the seed, which plays the same moments again.
fn twenty_rounds() -> Length {
    Length { rounds: 20, seed: Random::system().below(1_000_000) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_is_killed_keeps_what_it_receipted() -> anyhow::Result<()> {
    kill_cloud::play(Database::sqlite()?, twenty_rounds()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_is_killed_keeps_what_it_receipted_on_postgresql() -> anyhow::Result<()> {
    let Some(database) = Database::fresh(Kind::Postgres).await? else { return Ok(()) };
    kill_cloud::play(database, Length { rounds: 5, ..twenty_rounds() }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_keeps_its_key_and_what_it_promised() -> anyhow::Result<()> {
    kill_agent::play(twenty_rounds()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_receipt_leaves_between_a_write_and_its_sync() -> anyhow::Result<()> {
    sync_order::play(Length { rounds: 60, seed: 1 }).await.map(drop)
}
