//! Limits on tries, kept in the database so that they hold on every node: so many per window, and a delay that grows
//! with each wrong password.

use std::time::Duration;

use gatelodge_proto::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    change,
    db::{DbError, Ts, Tx},
    kits::Kits,
    run,
};

/// Too many tries; again after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries: wait {} seconds and try again", .0.as_secs().max(1))]
pub struct Throttled(pub Duration);

impl Throttled {
    /// For `Retry-After`: whole seconds, at least one.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0.as_secs().max(1)).unwrap_or(u32::MAX)
    }
}

/// Counts one try of `subject` within `scope` and refuses it when there were `limit` in this window. The count stands
/// whatever becomes of the try: it is committed here. Whoever is over the limit is not even counted any more.
pub async fn throttle(
    kits: &Kits,
    scope: &'static str,
    subject: &str,
    limit: u32,
    window: Duration,
) -> Result<Result<(), Throttled>, DbError> {
    let now = kits.now();
    let known_as = format!("{scope}|{}", fingerprint(subject));
    if let Some(until) = kits.limits.over_until(&known_as, now) {
        return Ok(Err(Throttled(until.since(now))));
    }
    let mut tx = kits.db.write_on_reserve().await?;
    let tally = tally(&mut tx, now, scope, subject, window).await?;
    tx.commit().await?;
    let outcome = tally.within(limit, now);
    if outcome.is_err() {
        kits.limits.note(known_as, tally.until, now);
    }
    Ok(outcome)
}

/// The same within the transaction of what is counted: what does not come about does not count.
pub async fn throttle_within(
    tx: &mut Tx,
    now: Timestamp,
    scope: &'static str,
    subject: &str,
    limit: u32,
    window: Duration,
) -> Result<Result<(), Throttled>, DbError> {
    Ok(tally(tx, now, scope, subject, window).await?.within(limit, now))
}

/// How often something was counted.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    /// How often in this window, the latest included.
    pub count: u32,
    /// The end of this window.
    until: Timestamp,
}

impl Tally {
    fn within(self, limit: u32, now: Timestamp) -> Result<(), Throttled> {
        if self.count > limit { Err(Throttled(self.until.since(now))) } else { Ok(()) }
    }
}

/// Counts `subject` once more within `scope`, and refuses nothing.
pub async fn tally(
    tx: &mut Tx,
    now: Timestamp,
    scope: &'static str,
    subject: &str,
    window: Duration,
) -> Result<Tally, DbError> {
    let length = i64::try_from(window.as_micros()).unwrap_or(i64::MAX).max(1);
    let start = now.micros().div_euclid(length) * length;
    let count = run!(tx, c => sqlx::query_scalar::<_, i32>(
        "INSERT INTO attempt (scope, subject, window_start, count) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (scope, subject, window_start) DO UPDATE SET count = attempt.count + 1 RETURNING count",
    )
    .bind(scope)
    .bind(fingerprint(subject))
    .bind(Ts(start))
    .fetch_one(c))?;
    if count == 1 {
        change!(tx, c => sqlx::query("DELETE FROM attempt WHERE scope = $1 AND window_start < $2")
            .bind(scope)
            .bind(Ts(start - length))
            .execute(c))?;
    }
    let until = Timestamp::from_micros(start.saturating_add(length));
    Ok(Tally { count: u32::try_from(count).unwrap_or(u32::MAX), until })
}

/// What is counted need not be readable in the table.
fn fingerprint(subject: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(subject.as_bytes()).iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Wrong passwords that cost nothing.
const FREE_FAILURES: i32 = 10;
/// After so long without a failure the count begins anew.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// The pause after so many failures: none, then 15 s doubled each time, a quarter of an hour at most.
fn delay(failures: i32) -> Duration {
    let Ok(beyond) = u32::try_from(failures - FREE_FAILURES) else { return Duration::ZERO };
    Duration::from_secs((15u64 << beyond.min(6)).min(900))
}

/// Counts a sign-in of `subject` before its password is looked at, so that tries at the same time all count; refuses it
/// while a pause runs. [`forgive`] takes the count back when the password was right.
pub(super) async fn try_sign_in(tx: &mut Tx, now: Timestamp, subject: &str) -> Result<Result<(), Throttled>, DbError> {
    let subject = fingerprint(subject);
    let failures = run!(tx, c => sqlx::query_scalar::<_, i32>(
        "INSERT INTO sign_in_delay (subject, failures, failed_at, blocked_until) VALUES ($1, 1, $2, $2) \
         ON CONFLICT (subject) DO UPDATE SET \
             failures = CASE WHEN sign_in_delay.failed_at < $3 THEN 1 ELSE sign_in_delay.failures + 1 END, \
             failed_at = $2 \
         WHERE sign_in_delay.blocked_until <= $2 RETURNING failures",
    )
    .bind(subject.clone())
    .bind(Ts::from(now))
    .bind(Ts::from(now - FORGET_AFTER))
    .fetch_optional(c))?;
    let Some(failures) = failures else {
        let until = run!(tx, c => sqlx::query_scalar::<_, Ts>(
            "SELECT blocked_until FROM sign_in_delay WHERE subject = $1",
        )
        .bind(subject)
        .fetch_one(c))?;
        return Ok(Err(Throttled(Timestamp::from(until).since(now))));
    };
    change!(tx, c => sqlx::query("UPDATE sign_in_delay SET blocked_until = $2 WHERE subject = $1")
        .bind(subject)
        .bind(Ts::from(now + delay(failures)))
        .execute(c))?;
    if failures == 1 {
        change!(tx, c => sqlx::query("DELETE FROM sign_in_delay WHERE failed_at < $1")
            .bind(Ts::from(now - FORGET_AFTER))
            .execute(c))?;
    }
    Ok(Ok(()))
}

/// Forgets the failures of `subject`: the password was right.
pub(super) async fn forgive(tx: &mut Tx, subject: &str) -> Result<(), DbError> {
    change!(tx, c => sqlx::query("DELETE FROM sign_in_delay WHERE subject = $1").bind(fingerprint(subject)).execute(c))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_begins_after_ten_and_grows_to_a_quarter_of_an_hour() {
        let pauses = [0, 9, 10, 11, 12, 15, 16, 40].map(|failures| delay(failures).as_secs());
        assert_eq!(pauses, [0, 0, 15, 30, 60, 480, 900, 900]);
    }
}
