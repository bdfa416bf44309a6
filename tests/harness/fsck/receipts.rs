//! I6: what was receipted is committed. A ledger has the receipts that arrived; the database must have the messages.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use gatelodge_cloud::run;

use super::{Finding, Progress, Scope, rows::Rows};
use crate::ledger::{AGAIN, Receipted};

pub(super) struct Told {
    pub(super) lines: u64,
    pub(super) findings: Vec<Finding>,
}

/// For so long the cloud keeps which messages it has taken in, less a day for its daily round.
const KEPT: Duration = Duration::from_secs(179 * 86_400);

pub(super) async fn look(scope: &Scope, ledger: &Path, progress: &Progress) -> anyhow::Result<Told> {
    let file = File::open(ledger).with_context(|| format!("cannot read {}", ledger.display()))?;
    let mut tx = scope.db.snapshot().await?;
    let (mut lines, mut lost, mut other) = (0_u64, Rows::default(), Rows::default());
    for line in BufReader::new(file).lines() {
        lines += 1;
        let place = || format!("{}, line {lines}", ledger.display());
        let line = line.with_context(place)?;
        let receipt: Receipted = serde_json::from_str(&line).with_context(place)?;
        progress.send_replace(format!("I6, {}", place()));
        // What was parked is kept elsewhere, and promised nothing; what is old has served its time.
        if receipt.parked.is_some() || receipt.when + KEPT < scope.clock.now() {
            continue;
        }
        let seq = i64::try_from(receipt.seq).with_context(place)?;
        let kind = run!(&mut tx, c => sqlx::query_scalar::<_, String>(
            "SELECT kind FROM device_message WHERE device_id = $1 AND boot_id = $2 AND seq = $3",
        )
        .bind(receipt.device.uuid())
        .bind(receipt.boot)
        .bind(seq)
        .fetch_optional(c))
        .context("device_message cannot be read")?;
        let said = || format!("line {lines} (device {}, start {}, number {seq})", receipt.device, receipt.boot);
        match kind {
            None => lost.add(said),
            Some(kind) if receipt.kind != AGAIN && kind != receipt.kind => other.add(said),
            Some(_) => {}
        }
    }
    let place = ledger.display().to_string();
    let next =
        "do not let devices connect; restore the newest backup and compare `synchronous` or `fsync` with docs/operate";
    let findings = [
        lost.told(
            "I6",
            &place,
            "this message was receipted and is not in the database: what a device reported is lost",
            next,
        ),
        other.told("I6", &place, "this message was receipted as another kind than the database has", next),
    ];
    Ok(Told { lines, findings: findings.into_iter().flatten().collect() })
}
