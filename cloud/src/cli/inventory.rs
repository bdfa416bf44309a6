//! The vendor's catalogue and inventory from the command line.

use std::{fmt::Write as _, fs::File, path::Path, process::ExitCode};

use anyhow::Context as _;
use gatelodge_proto::payload::Title;

use super::{admin, term};
use crate::{
    audit::Actor,
    config::Config,
    devices::service::{self, Import, PresetPart, ProductInput, ProductPreset},
};

/// Done, but some rows were refused.
const SOME_REFUSED: u8 = 3;

pub(super) async fn import_devices(config: Config, file: &Path, dry_run: bool) -> anyhow::Result<ExitCode> {
    let rows = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let kits = admin::open(config).await?;
    let by = Actor::Operator("command line".to_owned());
    let done = service::import(&kits, by, rows, dry_run)
        .await
        .with_context(|| format!("{} was not imported", file.display()))?;
    kits.db.close().await;
    term::say(&summary(&done, dry_run));
    Ok(if done.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

fn summary(done: &Import, dry_run: bool) -> String {
    let mut text = String::new();
    for line in &done.faults {
        let _ = writeln!(text, "line {}: {}", line.number, line.fault);
    }
    let added = if dry_run { "would be added" } else { "added" };
    let (new, same, bad) = (done.added, done.unchanged, done.faults.len());
    let _ = write!(text, "{new} {added}, {same} there already, {bad} refused");
    text
}

pub(super) async fn add_product(config: Config, input: ProductInput) -> anyhow::Result<ExitCode> {
    let kits = admin::open(config).await?;
    let product = service::add_product(&kits, input).await?;
    kits.db.close().await;
    term::say(&format!("{} ({}) is in the catalogue.", product.reference, product.name));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn set_preset(
    config: Config,
    reference: &str,
    name: Title,
    parts: Vec<PresetPart>,
) -> anyhow::Result<ExitCode> {
    let kits = admin::open(config).await?;
    let presets = service::set_preset(&kits, reference, name, parts).await?;
    kits.db.close().await;
    let line = |preset: &ProductPreset| {
        let parts: Vec<_> = preset.parts.iter().map(ToString::to_string).collect();
        format!("{}: {}", preset.name, parts.join(", "))
    };
    let lines: Vec<_> = presets.iter().map(line).collect();
    term::say(&if lines.is_empty() {
        format!("{reference} has no presets; what its devices say of their services is shown.")
    } else {
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}
