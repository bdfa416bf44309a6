//! What an operator asks when something may be wrong.

use std::{process::ExitCode, time::Instant};

use anyhow::Context as _;

use super::term;
use crate::{
    audit::{self, Broken, ChainFault, Seen},
    config::Config,
    db::Db,
};

/// Histories that are named one by one; the rest are counted.
const NAMED: usize = 20;

pub(super) async fn audit(config: &Config) -> anyhow::Result<ExitCode> {
    let db = Db::open_to_read(&config.database).await?;
    let mut tx = db.snapshot().await?;
    let (mut rows, mut broken, mut told) = (0_u64, Vec::new(), Instant::now());
    let length = audit::verify(&mut tx, |seen| match seen {
        Seen::Row => {
            rows += 1;
            if told.elapsed().as_secs() >= 1 {
                term::tell(&format!("{rows} rows read"));
                told = Instant::now();
            }
        }
        Seen::Broken(link) => broken.push(link),
    })
    .await
    .context("the audit trail cannot be read")?;
    drop(tx);
    db.close().await;
    if broken.is_empty() {
        term::say(&format!("The audit trail is whole. Rows: {}, histories: {}.", length.rows, length.chains));
        return Ok(ExitCode::SUCCESS);
    }
    for link in broken.iter().take(NAMED) {
        term::say(&sentence(link));
    }
    if broken.len() > NAMED {
        term::say(&format!("... and {} histories more", broken.len() - NAMED));
    }
    term::say(&format!("Next: {}.", ChainFault::NEXT));
    Ok(ExitCode::FAILURE)
}

fn sentence(link: &Broken) -> String {
    let history = if link.chain.is_nil() { "the cloud's own".to_owned() } else { format!("that of {}", link.chain) };
    let place = match (link.row, link.at) {
        (Some(row), Some(at)) => format!("audit_row {row} of {at}"),
        _ => format!("audit_chain {}", link.chain),
    };
    format!("{place}: {}. The history is {history}; nothing after this place in it is vouched for.", link.fault)
}
