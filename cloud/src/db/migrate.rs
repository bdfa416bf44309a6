//! The steps that bring the tables up to date, one source for both databases.
//!
//! `{uuid} {ts} {bytes} {json}` stand for the column types and `{by_key}` for a table that is kept in the order of its
//! primary key; everything else is SQL that both understand. A step that has landed is never edited: a later one changes
//! what it made.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::{ConnectError, Db, Tx};
use crate::run;

const STEPS: &[(i64, &str, &str)] = &[
    (1, "kits", include_str!("../../migrations/0001_kits.sql")),
    (2, "accounts", include_str!("../../migrations/0002_accounts.sql")),
    (3, "devices", include_str!("../../migrations/0003_devices.sql")),
    (4, "sessions", include_str!("../../migrations/0004_sessions.sql")),
];

const TYPES: &[(&str, &str, &str)] = &[
    ("{uuid}", "UUID", "BLOB"),
    ("{json}", "JSONB", "TEXT"),
    ("{ts}", "BIGINT", "INTEGER"),
    ("{bytes}", "BYTEA", "BLOB"),
    ("{by_key}", "", "WITHOUT ROWID"),
];

fn migrator(postgres: bool, up_to: i64) -> Migrator {
    let steps = STEPS.iter().filter(|(version, ..)| *version <= up_to).map(|(version, name, template)| {
        let sql = TYPES.iter().fold((*template).to_owned(), |sql, (token, on_postgres, on_sqlite)| {
            sql.replace(token, if postgres { on_postgres } else { on_sqlite })
        });
        let sql = sqlx::AssertSqlSafe(sql);
        Migration::new(*version, (*name).into(), MigrationType::Simple, sqlx::SqlSafeStr::into_sql_str(sql), false)
    });
    Migrator::with_migrations(steps.collect())
}

/// The last step this program knows.
pub(super) fn newest() -> i64 {
    STEPS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Runs the steps up to `last` that are missing.
pub(super) async fn run_up_to(db: &Db, last: i64) -> Result<(), ConnectError> {
    let outcome = match db {
        Db::Postgres(pool) => migrator(true, last).run(pool).await,
        Db::Sqlite { writer, .. } => migrator(false, last).run(writer).await,
    };
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
            ConnectError::Newer { found, known: newest() }
        }
        other => ConnectError::Migrate(other),
    })
}

/// The last step the tables have been through; 0 when there are none.
pub(super) async fn found(tx: &mut Tx) -> i64 {
    let found =
        run!(tx, c => sqlx::query_scalar::<_, Option<i64>>("SELECT max(version) FROM _sqlx_migrations").fetch_one(c));
    // A database that was never written to has not even this table.
    found.ok().flatten().unwrap_or(0)
}
