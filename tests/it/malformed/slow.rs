//! Clients that begin and never finish.

use gatelodge_tests::faults::slow_loris;

/// `cargo xtask fault slow-loris` does it with 2,000, and looks at how long people wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_thrown_out_and_people_sign_in_meanwhile() -> anyhow::Result<()> {
    slow_loris::play(200, None).await.map(drop)
}
