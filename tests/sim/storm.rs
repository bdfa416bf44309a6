//! `storm`: everybody connects at once, as after a power cut of a whole town.

use std::{fmt::Write as _, path::Path, time::Duration};

use serde_json::json;

use crate::{
    arguments::Storm,
    connecting::{Cast, Phase, reasons},
    fleet::{self, Fleet},
    numbers::rate,
    output,
};

pub(crate) async fn run(folder: &Path, plan: &Storm, as_json: bool) -> anyhow::Result<()> {
    let seed = fleet::seed(plan.bounds.seed);
    let fleet = Fleet::open(folder)?;
    let abreast = plan.abreast.unwrap_or(plan.share.len());
    let mut cast = Cast::send_out(&fleet, &plan.share, &plan.bounds, seed, abreast, None)?;
    cast.all_connected().await?;
    let took = cast.stage.time();
    let (stage, size) = (std::sync::Arc::clone(&cast.stage), cast.size);
    let connected = stage.up();
    output::progress(&format!("{connected} of {size} connected after {:.1} s", took.as_secs_f64()));
    if plan.hold > 0 {
        cast.stay(Duration::from_secs(plan.hold), "holding").await?;
    }
    let told = cast.end(Phase::Leaving).await?;

    let failures: Vec<&str> = told.iter().flat_map(|one| &one.failures).map(|(_, why)| why.as_str()).collect();
    let never = told.iter().filter(|one| one.connects.is_empty()).count();
    let errors = failures.len().max(never);
    let last = told.iter().filter_map(|one| one.connects.first()).max().copied().unwrap_or_default();
    let speed = rate(told.len() - never, last);
    let why = reasons(failures.into_iter());
    let told = json!({
        "devices": size, "seed": seed, "connected": connected, "seconds": last.as_secs_f64(),
        "connects_per_s": speed, "errors": errors, "reasons": why,
    });
    let mut text = format!(
        "{connected} of {size} devices connected in {:.1} s, {speed} a second; {errors} errors.",
        last.as_secs_f64()
    );
    for (why, count) in why {
        write!(text, "\n{count:>7} {why}")?;
    }
    output::outcome(as_json, &told, &text);
    Ok(())
}
