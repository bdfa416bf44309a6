//! What happens to messages and connections on their way.

use gatelodge_tests::faults::{Length, bad_wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_twice_and_late_change_nothing() -> anyhow::Result<()> {
    bad_wire::shuffled(Length { rounds: 4, seed: 9 }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_wire_is_seen_within_one_and_a_half_keep_alives_and_five_seconds() -> anyhow::Result<()> {
    bad_wire::cut().await.map(drop)
}
