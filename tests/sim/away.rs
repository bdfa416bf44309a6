//! `away`: the fleet is connected, the cloud goes and comes back, and everybody returns by the agent's own back-off.
//! The outage is somebody else's: stop the cloud, or cut its network, while this runs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gatelodge_tests::wait::measure_for;
use serde_json::json;

use crate::{
    arguments::Away,
    connecting::{Cast, Phase, reasons},
    device::Told,
    fleet::{self, Fleet},
    numbers::per_second,
    output,
};

/// The longest bar of the picture, in characters.
const WIDTH: usize = 60;

pub(crate) async fn run(folder: &Path, plan: &Away, as_json: bool) -> anyhow::Result<()> {
    let seed = fleet::seed(plan.bounds.seed);
    let fleet = Fleet::open(folder)?;
    let mut cast = Cast::send_out(&fleet, &plan.share, &plan.bounds, seed, 200, None)?;
    cast.all_connected().await?;
    let settled = cast.stage.time();
    output::progress(&format!("{} devices are connected; let the outage begin", cast.stage.up()));
    let deadline = Instant::now() + Duration::from_secs(plan.seconds);
    let (mut gone, mut told_at) = (false, Instant::now());
    while Instant::now() < deadline {
        let up = cast.stage.up();
        gone |= up < cast.size / 2;
        if gone && up == cast.size {
            break;
        }
        cast.still_all_there()?;
        if told_at.elapsed().as_secs() >= 5 {
            told_at = Instant::now();
            output::progress(&format!("{up} of {} connected", cast.size));
        }
        measure_for(Duration::from_millis(50)).await;
    }
    let (size, up) = (cast.size, cast.stage.up());
    let told = cast.end(Phase::Leaving).await?;
    let back = returns(&told, settled);
    let first = back.iter().min().copied().unwrap_or_default();
    let counts = per_second(&back.iter().map(|at| at.saturating_sub(first)).collect::<Vec<_>>());
    let peak = counts.iter().max().copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
    let share = peak as f64 / size as f64;
    let why = reasons(told.iter().flat_map(|one| &one.failures).map(|(_, why)| why.as_str()));
    let outcome = json!({
        "devices": size, "seed": seed, "back": up, "seconds": counts.len(),
        "peak_per_s": peak, "peak_share": share, "per_second": counts, "reasons": why,
    });
    let text = format!(
        "{up} of {size} devices are back, {} s after the first; at most {peak} in one second, {:.1} % of all.\n{}",
        counts.len(),
        share * 100.0,
        picture(&counts)
    );
    output::outcome(as_json, &outcome, &text);
    Ok(())
}

/// When each device came back after the last time that it lost its link.
fn returns(told: &[Told], settled: Duration) -> Vec<Duration> {
    let after = |one: &Told| {
        let lost = one.failures.last().map(|(at, _)| *at).filter(|at| *at > settled)?;
        one.connects.iter().copied().find(|at| *at > lost)
    };
    told.iter().filter_map(after).collect()
}

/// Connects per second, a line each.
fn picture(counts: &[usize]) -> String {
    let most = counts.iter().max().copied().unwrap_or_default().max(1);
    let line =
        |(second, count): (usize, &usize)| format!("{second:>4} s {count:>6} {}", "#".repeat(count * WIDTH / most));
    counts.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_is_the_first_connect_after_the_last_loss() {
        let at = Duration::from_secs;
        let one = Told {
            connects: vec![at(1), at(40)],
            failures: vec![(at(10), "closed".into()), (at(30), "refused".into())],
            ..Told::default()
        };
        let stayed = Told { connects: vec![at(2)], ..Told::default() };
        assert_eq!(returns(&[one, stayed], at(5)), [at(40)]);
    }

    #[test]
    fn the_picture_has_a_line_a_second() {
        assert_eq!(picture(&[2, 0]), format!("   0 s      2 {}\n   1 s      0 ", "#".repeat(60)));
    }
}
