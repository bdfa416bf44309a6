//! The database: SQLite in one file or PostgreSQL, the same SQL on both. Owns connections, transactions and
//! migrations; never a table of a feature.
//!
//! A store function takes `&mut Tx` and runs its statement through [`run!`](crate::run); a service opens the
//! transaction with [`Db::read`] or [`Db::write`] and commits it. Placeholders are `$1`, times are microseconds
//! ([`Ts`]), JSON goes through `sqlx::types::Json`. One question that is asked all the time goes through
//! [`ask!`](crate::ask) without a transaction.

mod connect;
mod error;
mod migrate;
mod reserve;
pub mod rows;
mod tx;
mod types;

pub use connect::{Db, DbUrl, InvalidDbUrl};
pub use error::{ConnectError, DbError};
pub use reserve::Reserve;
pub use tx::Tx;
pub use types::{Ts, count, word};
