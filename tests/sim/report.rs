//! `run`: connect, report for a while, wait for the last receipt.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use serde_json::json;

use crate::{
    arguments::Run,
    connecting::{Cast, Phase},
    device::Reports,
    fleet::{self, Fleet},
    numbers::{millis, percentile, rate},
    output,
};

pub(crate) async fn run(folder: &Path, plan: &Run, as_json: bool) -> anyhow::Result<()> {
    let seed = fleet::seed(plan.bounds.seed);
    let fleet = Fleet::open(folder)?;
    let reports = match plan.rate {
        Some(rate) => Reports::Every(interval(rate, plan.share.len())?),
        None => Reports::OnReceipt,
    };
    let mut cast = Cast::send_out(&fleet, &plan.share, &plan.bounds, seed, plan.abreast, Some(reports))?;
    cast.all_connected().await?;
    let connected = cast.stage.up();
    ensure!(connected > 0, "no device could connect");
    let from = cast.stage.time();
    cast.stage.enter(Phase::Reporting);
    cast.stay(Duration::from_secs(plan.seconds), "reporting").await?;
    let until = cast.stage.time();
    output::progress("waiting for the last receipts");
    let told = cast.end(Phase::Draining).await?;

    let mut waits: Vec<Duration> = told.iter().flat_map(|one| &one.receipts).map(|(_, wait)| *wait).collect();
    waits.sort_unstable();
    let in_time = told.iter().flat_map(|one| &one.receipts).filter(|(at, _)| (from..=until).contains(at)).count();
    let sum = |part: fn(&crate::device::Told) -> usize| told.iter().map(part).sum::<usize>();
    let (missing, parked, failures) = (sum(|one| one.missing), sum(|one| one.parked), sum(|one| one.failures.len()));
    let committed = rate(in_time, until.saturating_sub(from));
    let (p50, p99) = (millis(percentile(&waits, 0.5)), millis(percentile(&waits, 0.99)));
    let told = json!({
        "devices": connected, "seed": seed, "seconds": until.saturating_sub(from).as_secs_f64(),
        "receipts": waits.len(), "receipts_per_s": committed,
        "p50_ms": p50, "p99_ms": p99, "max_ms": millis(waits.last().copied().unwrap_or_default()),
        "parked": parked, "missing": missing, "failures": failures,
    });
    let text = format!(
        "{connected} devices, {} receipts, {committed} a second; half within {p50} ms, 99 of 100 within {p99} ms; {missing} without a receipt, {parked} parked, {failures} broken links.",
        waits.len()
    );
    output::outcome(as_json, &told, &text);
    Ok(())
}

fn interval(rate: f64, devices: usize) -> anyhow::Result<Duration> {
    ensure!(rate.is_finite() && rate > 0.0, "--rate must be above 0");
    #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
    let seconds = devices as f64 / rate;
    Ok(Duration::from_secs_f64(seconds.clamp(0.000_1, 86_400.0)))
}
