//! I18: the audit trail is append-only and chained; gaps show.

use gatelodge_cloud::{
    audit::{self, ChainFault, Seen},
    db::{Db, DbError},
};

use super::{Finding, Progress};

/// Histories that are told one by one.
const TOLD: usize = 20;

pub(super) struct Trail {
    pub(super) rows: u64,
    pub(super) findings: Vec<Finding>,
}

pub(super) async fn look(db: &Db, progress: &Progress) -> Result<Trail, DbError> {
    let mut tx = db.snapshot().await?;
    let (mut rows, mut findings) = (0_u64, Vec::<Finding>::new());
    let length = audit::verify(&mut tx, |seen| match seen {
        Seen::Row => {
            rows += 1;
            progress.send_replace(format!("I18, audit_row {rows}"));
        }
        Seen::Broken(link) if findings.len() < TOLD => findings.push(Finding {
            invariant: "I18",
            place: if link.row.is_some() { "audit_row" } else { "audit_chain" }.into(),
            row: link.row.unwrap_or(link.chain).to_string(),
            more: 0,
            meaning: match link.at {
                Some(at) => format!("at {at}, {}", link.fault),
                None => link.fault.to_string(),
            },
            next: ChainFault::NEXT,
        }),
        // Of so many the last line tells the number.
        Seen::Broken(_) => {
            if let Some(last) = findings.last_mut() {
                last.more += 1;
            }
        }
    });
    let length = length.await?;
    Ok(Trail { rows: length.rows, findings })
}
