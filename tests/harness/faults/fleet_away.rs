//! The cloud is gone for a while, and every device of its fleet comes back by its own back-off: all of them, soon, and
//! never in one crowd.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{
    cloud::{CloudSetup, TestCloud},
    fleet::{Fleet, number},
    wait::measure_for,
};

/// How long enrolling or connecting the whole fleet may take.
const WITHIN: Duration = Duration::from_secs(900);
/// Everybody is back so long after the cloud is.
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// Of the whole fleet, in any one second.
const CROWD: f64 = 0.05;

/// `devices` of them, kept away for `outage`.
pub async fn play(devices: usize, outage: Duration, seed: u64) -> anyhow::Result<String> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    let fleet = Fleet::enrolled(&cloud, devices, WITHIN).await?;
    let (count, seed) = (devices.to_string(), seed.to_string());
    let patience = WITHIN.as_secs().to_string();
    let away = ["away", "--devices", &count, "--seed", &seed, "--patience", &patience, "--seconds", &patience];
    let mut simulator = fleet.start(away)?;
    simulator.wait_for_line("let the outage begin", WITHIN).await?;
    cloud.kill()?;
    measure_for(outage).await;
    let began = Instant::now();
    cloud.serve().await?;
    let told = Fleet::outcome(simulator, WITHIN).await?;
    let took = began.elapsed();
    let (back, peak, share) = (number(&told, "back")?, number(&told, "peak_per_s")?, number(&told, "peak_share")?);
    let all = number(&told, "devices")?;
    ensure!(back >= all, "{back} of {all} devices came back: {told}");
    ensure!(took < BACK_WITHIN, "it took {took:.0?} until the last of {all} devices was back: {told}");
    ensure!(share <= CROWD, "{peak} of {all} devices came back in one second: {told}");
    Ok(format!(
        "{devices} devices were back {took:.0?} after an outage of {outage:.0?}, at most {peak} ({:.1} %) in one second",
        share * 100.0
    ))
}
