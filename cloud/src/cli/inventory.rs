//! The vendor's catalogue and inventory from the command line.

use std::{fmt::Write as _, fs::File, path::Path, process::ExitCode};

use anyhow::Context as _;

use super::{admin, term};
use crate::{
    audit::Actor,
    config::Config,
    devices::service::{self, Import, ProductInput},
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
