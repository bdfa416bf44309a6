//! Power that goes away under the agent.

use gatelodge_tests::faults::power_cut::{self, During};

/// Every third place of each call; `cargo xtask fault power-cut-enrolment` cuts at all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_during_enrolment_leaves_one_identity_or_none_yet() -> anyhow::Result<()> {
    power_cut::play(During::Enrolment, 3).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_during_renewal_leaves_the_old_certificate_or_the_next() -> anyhow::Result<()> {
    power_cut::play(During::Renewal, 3).await.map(drop)
}
