//! Where rows are kept goes away, is held by somebody else, or is full.

use std::time::Duration;

use gatelodge_tests::{
    faults::{Length, database_away, full_disk},
    namespace,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_puts_everybody_off_and_loses_nothing() -> anyhow::Result<()> {
    database_away::locked(Duration::from_secs(15)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_crashes_under_load_puts_everybody_off_and_loses_nothing() -> anyhow::Result<()> {
    database_away::restarts(Length { rounds: 4, seed: 5 }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_in_words_and_still_takes_rights_away() -> anyhow::Result<()> {
    let own = "faults::storage::a_full_disk_refuses_in_words_and_still_takes_rights_away";
    if !namespace::enter(&["--exact", own, "--nocapture"], "1 passed", "the full disk")? {
        return Ok(());
    }
    full_disk::play().await.map(drop)
}
