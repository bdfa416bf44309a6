//! A fresh database for each test, on both kinds: a SQLite file, and a database of a PostgreSQL cluster that lives as
//! long as the test process.

mod postgres;

use std::{fmt, path::Path};

use anyhow::Context as _;

pub use postgres::Cluster;

/// The kinds of database that every store test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// An empty database of one test.
#[derive(Debug)]
pub struct Database {
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    /// An empty database of that kind; `None` when this machine has no PostgreSQL (noted, and refused in CI).
    pub async fn fresh(kind: Kind) -> anyhow::Result<Option<Self>> {
        match kind {
            Kind::Sqlite => Self::sqlite().map(Some),
            Kind::Postgres => Self::postgres().await,
        }
    }

    /// A SQLite file in a folder of its own.
    pub fn sqlite() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for SQLite")?;
        let url = format!("sqlite://{}", folder.path().join("gatelodge.db").display());
        Ok(Self { url, _folder: Some(folder) })
    }

    /// A database of this process's PostgreSQL cluster.
    pub async fn postgres() -> anyhow::Result<Option<Self>> {
        let Some(cluster) = Cluster::of_this_process().await? else { return Ok(None) };
        Ok(Some(Self { url: cluster.create_database().await?, _folder: None }))
    }

    /// A database of a cluster that its test may stop.
    pub async fn of(cluster: &Cluster) -> anyhow::Result<Self> {
        Ok(Self { url: cluster.create_database().await?, _folder: None })
    }

    /// Another database with what this one has, to change at will. Nobody may be connected to this one. A file is
    /// copied into memory where there is such a folder: copies are made by the hundred.
    pub async fn copy(&self) -> anyhow::Result<Self> {
        let Some(file) = self.url.strip_prefix("sqlite://") else {
            let cluster = Cluster::of_this_process().await?.context("PostgreSQL is gone")?;
            return Ok(Self { url: cluster.copy_database(&self.url).await?, _folder: None });
        };
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.context("cannot make a folder for SQLite")?;
        let copy = folder.path().join("gatelodge.db");
        std::fs::copy(file, &copy).with_context(|| format!("cannot copy {file}"))?;
        Ok(Self { url: format!("sqlite://{}", copy.display()), _folder: Some(folder) })
    }

    /// What goes into `database.url`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn databases_are_durable_fresh_and_apart() -> anyhow::Result<()> {
        let (Some(one), Some(other)) = (Database::postgres().await?, Database::postgres().await?) else {
            return Ok(());
        };
        let mut connection = sqlx::PgConnection::connect(one.url()).await?;
        let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut connection).await?;
        assert_eq!(fsync, "on");
        sqlx::raw_sql("CREATE TABLE mine (id INT)").execute(&mut connection).await?;
        let mut connection = sqlx::PgConnection::connect(other.url()).await?;
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'")
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(tables, 0);
        Ok(())
    }
}
