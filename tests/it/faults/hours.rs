//! Calendars that are wrong, certificates that have ended, and one key in two machines.

use gatelodge_tests::faults::wrong_hour;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_wakes_up_in_1970_reaches_its_cloud() -> anyhow::Result<()> {
    wrong_hour::calendar("-56y").await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_ten_years_ahead_reaches_its_cloud() -> anyhow::Result<()> {
    wrong_hour::calendar("+10y").await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_was_away_comes_back_by_its_key_within_the_grace_and_not_after() -> anyhow::Result<()> {
    for (days, anew) in [(100, false), (200, true)] {
        let Some(had_to_prove_itself) = wrong_hour::away(days).await? else { return Ok(()) };
        assert_eq!(had_to_prove_itself, anew, "after {days} days");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_in_two_machines_is_evidence_and_changes_no_row() -> anyhow::Result<()> {
    wrong_hour::copied().await.map(drop)
}
