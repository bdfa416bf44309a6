//! Invariants that a statement can ask for: each finds the rows that break it, on both databases. The tables below say
//! what a broken row means and what to do about it.

mod devices;
mod ownership;
mod sessions;
mod tokens;

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use gatelodge_cloud::{
    db::{DbError, Tx},
    run,
};
use gatelodge_proto::Timestamp;

use super::{
    Finding, Progress, Scope,
    rows::{Rows, in_words_of, named},
};
use crate::wait::measure_for;

/// One invariant, or a part of one.
pub(super) struct Rule {
    invariant: &'static str,
    table: &'static str,
    meaning: &'static str,
    next: &'static str,
    /// A cloud makes it true again within seconds of the change that breaks it.
    settles: bool,
    /// Gives the keys of the rows that break it as hex. `$1` is the time now.
    broken: &'static str,
}

/// All of them.
const RULES: [&[Rule]; 4] = [&ownership::RULES, &tokens::RULES, &devices::RULES, &sessions::RULES];
/// How many there are.
pub(super) const COUNT: usize =
    ownership::RULES.len() + tokens::RULES.len() + devices::RULES.len() + sessions::RULES.len();

pub(super) fn meanings() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.into_iter().flatten().map(|rule| (rule.invariant, rule.meaning))
}

/// Rows of one rule that are remembered for the second look.
const REMEMBERED: usize = 10_000;

pub(super) async fn look(scope: &Scope, progress: &Progress) -> Result<Vec<Finding>, DbError> {
    let mut tx = scope.db.snapshot().await?;
    let (mut findings, mut doubtful) = (Vec::new(), Vec::new());
    for rule in RULES.into_iter().flatten() {
        progress.send_replace(format!("{}, {}", rule.invariant, rule.table));
        let mut rows = Rows::default();
        let mut seen = BTreeSet::new();
        hold(&mut tx, rule, scope.clock.now(), |row| {
            if rule.settles && seen.len() < REMEMBERED {
                seen.insert(row.clone());
            }
            rows.add(|| named(&row));
        })
        .await?;
        if rule.settles && !seen.is_empty() && !scope.settle.is_zero() {
            doubtful.push((rule, seen));
        } else {
            findings.extend(rows.told(rule.invariant, rule.table, rule.meaning, rule.next));
        }
    }
    drop(tx);
    if !doubtful.is_empty() {
        progress.send_replace("what may be on its way, once more".into());
        measure_for(scope.settle).await;
        let mut tx = scope.db.snapshot().await?;
        for (rule, seen) in doubtful {
            let mut rows = Rows::default();
            hold(&mut tx, rule, scope.clock.now(), |row| {
                if seen.contains(&row) {
                    rows.add(|| named(&row));
                }
            })
            .await?;
            findings.extend(rows.told(rule.invariant, rule.table, rule.meaning, rule.next));
        }
    }
    Ok(findings)
}

async fn hold(tx: &mut Tx, rule: &Rule, now: Timestamp, mut broken: impl FnMut(String)) -> Result<(), DbError> {
    let statement = in_words_of(tx.is_postgres(), rule.broken);
    run!(tx, c => async {
        // The text is ours, from the tables of this folder.
        let query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(statement.as_str()));
        let query = if statement.contains("$1") { query.bind(now.micros()) } else { query };
        let mut rows = query.fetch(c);
        while let Some(row) = rows.try_next().await? {
            broken(row);
        }
        Ok::<_, sqlx::Error>(())
    })
}
