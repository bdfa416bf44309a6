//! What can go wrong with a database, told apart by what the caller may do about it.

/// A statement or transaction failed. A failed commit means *unknown*, not *no*: callers retry idempotently.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached or is busy: try again later, answer 503.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// A unique value is taken; `constraint` names the index or columns.
    #[error("this is already there ({constraint})")]
    Taken {
        /// The index or columns, as the database names them.
        constraint: String,
    },
    /// The disk is full: changes are refused, reading goes on.
    #[error("the database has no room left")]
    Full(#[source] sqlx::Error),
    /// A row does not say what its type allows.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// Anything else: a fault of ours.
    #[error("a database statement failed")]
    Statement(#[source] sqlx::Error),
}

impl DbError {
    /// The disk was full a moment ago, and nothing says that it is not.
    pub(super) fn no_room() -> Self {
        Self::Full(sqlx::Error::Io(std::io::ErrorKind::StorageFull.into()))
    }

    /// A stored text that its parser refuses.
    pub fn corrupt(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(error.to_string())
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }

    /// Whether a unique value in a constraint or column whose name contains `part` is taken.
    pub fn is_taken(&self, part: &str) -> bool {
        matches!(self, Self::Taken { constraint } if constraint.contains(part))
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(inner) => {
                let code = inner.code().unwrap_or_default().into_owned();
                if inner.is_unique_violation() {
                    // SQLite names columns in its message, PostgreSQL the constraint.
                    let constraint = inner.constraint().unwrap_or(inner.message()).to_owned();
                    return Self::Taken { constraint };
                }
                match code.as_str() {
                    // SQLITE_FULL, SQLITE_IOERR_SHMSIZE; PostgreSQL disk_full
                    "13" | "4874" | "53100" => Self::Full(error),
                    // SQLITE_BUSY and _LOCKED with their extended codes; PostgreSQL's deadlock, of which one side goes on
                    "5" | "6" | "261" | "262" | "517" | "773" | "40P01" => Self::Unavailable(error),
                    // PostgreSQL class 57P (shutdown) and 08 (connection)
                    code if code.starts_with("57P") || code.starts_with("08") || code == "53300" => {
                        Self::Unavailable(error)
                    }
                    _ => Self::Statement(error),
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Statement(error),
        }
    }
}

/// Why the cloud could not start on its database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not reachable, wrong password, no such database.
    #[error(
        "the database at {url} cannot be opened: check `database.url`, and that the server runs and lets this user in"
    )]
    Open {
        /// Without the password.
        url: String,
        /// The reason.
        #[source]
        source: sqlx::Error,
    },
    /// PostgreSQL would lose acknowledged work at a power cut.
    #[error(
        "PostgreSQL runs with `{setting} = {value}`: acknowledged work would be lost at a power cut; set it to `on` and start again"
    )]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
    },
    /// A newer version of this program has already changed the tables.
    #[error(
        "the database was written by a newer version (step {found}, this program knows {known}): install that version again, or restore the backup made before the upgrade"
    )]
    Newer {
        /// The last step found.
        found: i64,
        /// The last step known.
        known: i64,
    },
    /// Not yet brought up to date, and whoever only reads changes nothing.
    #[error(
        "the database is at step {found}, and this program reads step {known}: start gatelodge-cloud of the same version once, which brings it up to date"
    )]
    Older {
        /// The last step found; 0 when there are no tables at all.
        found: i64,
        /// The step known.
        known: i64,
    },
    /// A step failed.
    #[error("the database tables could not be brought up to date: nothing was changed; see the cause and start again")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}
