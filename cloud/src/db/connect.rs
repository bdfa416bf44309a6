//! Opening the database, with the durability it must have.

use std::{cmp::Ordering, fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection as _, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{ConnectError, DbError, Tx, migrate, reserve::Reserve};

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DbUrl {
    /// `sqlite:PATH`.
    Sqlite(PathBuf),
    /// `postgres://user:password@host/name`.
    Postgres(String),
}

/// The text names no database we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`database.url` must start with sqlite: or postgres://, like sqlite:/var/lib/gatelodge/gatelodge.db")]
pub struct InvalidDbUrl;

impl FromStr for DbUrl {
    type Err = InvalidDbUrl;
    fn from_str(text: &str) -> Result<Self, InvalidDbUrl> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() { Err(InvalidDbUrl) } else { Ok(Self::Sqlite(path.into())) }
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Ok(Self::Postgres(text.to_owned()))
        } else {
            Err(InvalidDbUrl)
        }
    }
}

impl fmt::Display for DbUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(text) => match url::Url::parse(text) {
                Ok(mut url) => {
                    if url.password().is_some() {
                        let _ = url.set_password(Some("hidden"));
                    }
                    write!(f, "{url}")
                }
                Err(_) => f.write_str("postgres://(unreadable)"),
            },
        }
    }
}

impl fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbUrl({self})")
    }
}

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub enum Db {
    /// A PostgreSQL pool.
    Postgres(PgPool),
    /// One SQLite file: several readers, one writer.
    Sqlite {
        /// Read-only connections.
        readers: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
        /// Room for what must work on a full disk.
        reserve: Arc<Reserve>,
    },
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Statements that a connection keeps prepared: all there are, those about many rows in each of their sizes.
const PREPARED: usize = 512;
/// Memory of the writing connection for pages, 16 MiB: the rows of a fleet and not of one group alone.
const PAGE_CACHE: &str = "-16384";
/// SQLite copies its log into the file after so many pages, 16 MiB: a page that changes in every group is copied once.
const CHECKPOINT: &str = "4096";

/// A full disk ends a transaction in the middle of its commit, which the connection then never learns: it would refuse
/// to begin another for ever, and is closed instead.
async fn is_sound(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // What the last holder left to be undone is undone by then.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

impl Db {
    /// Opens the database, makes it if it is an SQLite file that is not there, and brings its tables up to date.
    pub async fn open(url: &DbUrl) -> Result<Self, ConnectError> {
        Self::open_at_step(url, migrate::newest()).await
    }

    /// The last step of the tables this program knows.
    pub fn newest_step() -> i64 {
        migrate::newest()
    }

    /// Opens the database with its tables as they were after `step`: where an upgrade starts from.
    pub async fn open_at_step(url: &DbUrl, step: i64) -> Result<Self, ConnectError> {
        let open = |source| ConnectError::Open { url: url.to_string(), source };
        let db = match url {
            DbUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .statement_cache_capacity(PREPARED)
                    .pragma("wal_autocheckpoint", CHECKPOINT)
                    .busy_timeout(PATIENCE);
                // A connection to a file does not go stale: nothing is asked of it before it is used.
                let writer = SqlitePoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(PATIENCE)
                    .test_before_acquire(false)
                    .before_acquire(|connection, _| Box::pin(is_sound(connection)))
                    .connect_with(options.clone().pragma("cache_size", PAGE_CACHE))
                    .await
                    .map_err(open)?;
                let readers = SqlitePoolOptions::new()
                    .max_connections(4)
                    .acquire_timeout(PATIENCE)
                    .test_before_acquire(false)
                    .connect_with(options.read_only(true).create_if_missing(false))
                    .await
                    .map_err(open)?;
                Self::Sqlite { readers, writer, reserve: Arc::new(Reserve::beside(path)) }
            }
            DbUrl::Postgres(text) => {
                let options: PgConnectOptions = text.parse().map_err(open)?;
                let options = options.statement_cache_capacity(PREPARED);
                let pool = PgPoolOptions::new()
                    .max_connections(16)
                    .acquire_timeout(PATIENCE)
                    .connect_with(options)
                    .await
                    .map_err(open)?;
                for setting in ["fsync", "synchronous_commit"] {
                    let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                        .bind(setting)
                        .fetch_one(&pool)
                        .await
                        .map_err(open)?;
                    if value == "off" {
                        return Err(ConnectError::NotDurable { setting, value });
                    }
                }
                Self::Postgres(pool)
            }
        };
        migrate::run_up_to(&db, step).await?;
        Ok(db)
    }

    /// Opens a database that is there, to look at it: nothing is made, brought up to date or changed, and a change that
    /// is tried is refused.
    pub async fn open_to_read(url: &DbUrl) -> Result<Self, ConnectError> {
        let open = |source| ConnectError::Open { url: url.to_string(), source };
        let db = match url {
            DbUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .read_only(true)
                    .foreign_keys(true)
                    .busy_timeout(PATIENCE);
                let readers = SqlitePoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
                let readers = readers.connect_with(options).await.map_err(open)?;
                Self::Sqlite { writer: readers.clone(), readers, reserve: Arc::new(Reserve::beside(path)) }
            }
            DbUrl::Postgres(text) => {
                let options: PgConnectOptions = text.parse().map_err(open)?;
                let options = options.options([("default_transaction_read_only", "on")]);
                let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
                Self::Postgres(pool.connect_with(options).await.map_err(open)?)
            }
        };
        let mut tx = db.read().await.map_err(|_| open(sqlx::Error::PoolTimedOut))?;
        let (found, known) = (migrate::found(&mut tx).await, migrate::newest());
        drop(tx);
        match found.cmp(&known) {
            Ordering::Equal => Ok(db),
            Ordering::Greater => Err(ConnectError::Newer { found, known }),
            Ordering::Less => Err(ConnectError::Older { found, known }),
        }
    }

    /// A transaction that sees the database as of one moment, however much is written meanwhile, and changes nothing.
    pub async fn snapshot(&self) -> Result<Tx, DbError> {
        match self {
            Self::Postgres(pool) => {
                Ok(Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?))
            }
            Self::Sqlite { .. } => self.read().await,
        }
    }

    /// A transaction that only reads and never waits for the writer.
    pub async fn read(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            Self::Sqlite { readers, reserve, .. } => Tx::Sqlite(readers.begin().await?, Arc::clone(reserve)),
        })
    }

    /// A transaction that writes. On SQLite it holds the file from its first moment, so it never fails half way for a
    /// lock; while the disk is full it is refused.
    pub async fn write(&self) -> Result<Tx, DbError> {
        match self {
            Self::Sqlite { reserve, .. } if !reserve.is_kept() => Err(DbError::no_room()),
            Self::Sqlite { .. } | Self::Postgres(_) => self.begin().await,
        }
    }

    /// The same for a change that takes a right away, and for what leads there: it is made on a full disk, too, in the
    /// room that [`keep_reserve`](Self::keep_reserve) has kept for it.
    pub async fn write_on_reserve(&self) -> Result<Tx, DbError> {
        if let Self::Sqlite { reserve, .. } = self {
            reserve.make_room();
        }
        self.begin().await
    }

    /// Keeps so much room beside an SQLite file for [`write_on_reserve`](Self::write_on_reserve).
    pub fn keep_reserve(&self, mib: u32) {
        if let Self::Sqlite { reserve, .. } = self {
            reserve.keep(mib);
        }
    }

    async fn begin(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            Self::Sqlite { writer, reserve, .. } => {
                Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?, Arc::clone(reserve))
            }
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        let mut tx = self.read().await?;
        crate::run!(&mut tx, c => sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(c))?;
        Ok(())
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}
