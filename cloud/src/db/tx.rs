//! A transaction on either database.

use std::sync::Arc;

use sqlx::{Postgres, Sqlite, Transaction};

use super::{DbError, reserve::Reserve};

/// An open transaction. Dropped without [`commit`](Self::commit) it is undone.
#[derive(Debug)]
pub enum Tx {
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
    /// On SQLite, with what is told when a change does not fit on the disk.
    Sqlite(Transaction<'static, Sqlite>, Arc<Reserve>),
}

impl Tx {
    /// Makes the changes durable. After an error the outcome is unknown.
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx, reserve) => tx.commit().await.map_err(|error| {
                let error = DbError::from(error);
                if matches!(error, DbError::Full(_)) {
                    reserve.give_up();
                }
                error
            })?,
        }
        Ok(())
    }

    /// `FOR UPDATE` where rows are locked one by one; nothing where one writer holds the whole file.
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// Runs one statement on whichever database the transaction is on:
/// `run!(tx, c => sqlx::query("DELETE FROM job WHERE id = $1").bind(id).execute(c))`.
///
/// The statement is written once and compiled for both; the result is `Result<_, DbError>`.
#[macro_export]
macro_rules! run {
    ($tx:expr, $c:ident => $statement:expr) => {
        match $tx {
            $crate::db::Tx::Postgres(transaction) => {
                let $c = &mut **transaction;
                $statement.await.map_err($crate::db::DbError::from)
            }
            $crate::db::Tx::Sqlite(transaction, _) => {
                let $c = &mut **transaction;
                $statement.await.map_err($crate::db::DbError::from)
            }
        }
    };
}

/// Like [`run!`](crate::run) for statements that change rows; gives how many.
#[macro_export]
macro_rules! change {
    ($tx:expr, $c:ident => $statement:expr) => {
        match $tx {
            $crate::db::Tx::Postgres(transaction) => {
                let $c = &mut **transaction;
                $statement.await.map(|done| done.rows_affected()).map_err($crate::db::DbError::from)
            }
            $crate::db::Tx::Sqlite(transaction, _) => {
                let $c = &mut **transaction;
                $statement.await.map(|done| done.rows_affected()).map_err($crate::db::DbError::from)
            }
        }
    };
}

/// Runs one statement that only reads, outside any transaction, on whichever database it is:
/// `ask!(db, c => sqlx::query_scalar("SELECT 1").fetch_one(c))`.
///
/// For what is asked so often that the beginning and end of a transaction would cost more than the question.
#[macro_export]
macro_rules! ask {
    ($db:expr, $c:ident => $statement:expr) => {
        match $db {
            $crate::db::Db::Postgres($c) => $statement.await.map_err($crate::db::DbError::from),
            $crate::db::Db::Sqlite { readers: $c, .. } => $statement.await.map_err($crate::db::DbError::from),
        }
    };
}
