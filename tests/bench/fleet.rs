//! What one cloud carries, by a simulated fleet on the same machine: each value the median of its rounds, and beside
//! it, in the same run, what the parts below could do at best.

use std::time::Duration;

use anyhow::Context as _;
use gatelodge_tests::{
    cloud::{CloudSetup, TestCloud},
    fleet::{Fleet, number},
    wait::measure_for,
};

use crate::{
    arguments::Size,
    measure::{median, resident_kib},
    output::{self, Row, progress},
    peers,
};

/// Reports a second while the time to the receipt is measured: a load that one node has at 30,000 devices and a report
/// a minute.
const CALM: &str = "500";
const WITHIN: Duration = Duration::from_secs(900);
/// The endpoint's memory after a storm is that of the storm; so long later it is that of idle devices.
const SETTLE: Duration = Duration::from_secs(15);

pub(crate) async fn measure(size: &Size) -> anyhow::Result<()> {
    let mut cloud = TestCloud::start(CloudSetup::default()).await?;
    progress(&format!("enrolling {} devices", size.devices()));
    let fleet = Fleet::enrolled(&cloud, size.devices(), WITHIN).await?;
    output::row(&Row::alone("enrolments_per_s", number(fleet.enrolment(), "enrolments_per_s")?, "1/s"));
    receipts(size, &fleet).await?;
    reports(size, &fleet).await?;
    storm(size, &fleet, &mut cloud).await
}

/// From a report on its way to its receipt, beside a bare publish and its acknowledgement.
async fn receipts(size: &Size, fleet: &Fleet) -> anyhow::Result<()> {
    let (devices, seconds) = (size.reporting().to_string(), size.seconds().to_string());
    let (mut p50, mut p99, mut ack50, mut ack99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=size.rounds() {
        progress(&format!("time to the receipt, round {round} of {}", size.rounds()));
        let told = fleet.run(["run", "--devices", &devices, "--rate", CALM, "--seconds", &seconds], WITHIN).await?;
        p50.push(number(&told, "p50_ms")?);
        p99.push(number(&told, "p99_ms")?);
        let (half, most) = peers::acknowledgements(fleet).await?;
        ack50.push(half);
        ack99.push(most);
    }
    let peer = "MQTT publish to PUBACK";
    output::row(&Row::beside("report_receipt_p50_ms", median(p50), "ms", peer, median(ack50)));
    output::row(&Row::beside("report_receipt_p99_ms", median(p99), "ms", peer, median(ack99)));
    Ok(())
}

/// Reports committed while every device reports again as soon as it may, beside raw SQLite.
async fn reports(size: &Size, fleet: &Fleet) -> anyhow::Result<()> {
    let (devices, seconds) = (size.reporting().to_string(), size.seconds().to_string());
    let (mut committed, mut raw) = (Vec::new(), Vec::new());
    for round in 1..=size.rounds() {
        progress(&format!("reports committed, round {round} of {}", size.rounds()));
        let told = fleet.run(["run", "--devices", &devices, "--seconds", &seconds], WITHIN).await?;
        committed.push(number(&told, "receipts_per_s")?);
        raw.push(peers::raw_commits(size.reporting()).await?);
    }
    let peer = "raw SQLite, synchronous=FULL, groups of 256";
    output::row(&Row::beside("reports_committed_per_s", median(committed), "1/s", peer, median(raw)));
    Ok(())
}

/// Everybody at once, on a cloud that has just started, beside bare TLS; then the same fleet in silence.
async fn storm(size: &Size, fleet: &Fleet, cloud: &mut TestCloud) -> anyhow::Result<()> {
    let devices = size.devices().to_string();
    let hold = (SETTLE + Duration::from_secs(5)).as_secs().to_string();
    let (mut connects, mut errors, mut memory, mut bare) = (Vec::new(), 0.0, Vec::new(), Vec::new());
    for round in 1..=size.rounds() {
        progress(&format!("storm of {devices} devices, round {round} of {}", size.rounds()));
        cloud.stop().await?;
        cloud.serve().await?;
        let empty = resident_kib(cloud.id().context("the cloud runs")?)?;
        let mut simulator = fleet.start(["storm", "--devices", &devices, "--hold", &hold])?;
        simulator.wait_for_line("connected after", WITHIN).await?;
        measure_for(SETTLE).await;
        let full = resident_kib(cloud.id().context("the cloud runs")?)?;
        let told = Fleet::outcome(simulator, WITHIN).await?;
        connects.push(number(&told, "connects_per_s")?);
        errors += number(&told, "errors")?;
        memory.push((full - empty) / number(&told, "connected")?.max(1.0));
        bare.push(peers::handshakes(fleet, cloud).await?);
    }
    let peer = "bare mutual TLS";
    output::row(&Row::beside("storm_connects_per_s", median(connects), "1/s", peer, median(bare)));
    output::row(&Row::alone("storm_errors", errors, "1"));
    output::row(&Row::alone("rss_per_idle_device_kib", median(memory), "KiB"));
    Ok(())
}
