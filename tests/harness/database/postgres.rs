//! A PostgreSQL cluster of this test process: reached through a socket in a folder only its user can enter, durable
//! settings as in production, gone with the process however that ends.

use std::{
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use crate::{skip, wait::wait_until};

/// Starts the server and ends it with the process that holds the other end of standard input, even after a kill -9.
const KEEPER: &str = r#"
set -eu
initdb=$1 postgres=$2 folder=$3
cd "$folder"
"$initdb" --pgdata="$folder/data" --username=gatelodge --auth=trust --encoding=UTF8 --locale=C --no-sync >"$folder/log" 2>&1
"$postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 -c fsync=on >>"$folder/log" 2>&1 &
server=$!
cat >/dev/null || true
server=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null || echo "$server")
kill -QUIT "$server" 2>/dev/null || true
while kill -0 "$server" 2>/dev/null && wait "$server" 2>/dev/null; do :; done
rm -rf "$folder"
"#;

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    created: AtomicU32,
    keeper: Child,
    _lifeline: ChildStdin,
}

impl Cluster {
    /// The cluster of this process, started at the first call; `None` when this machine has no PostgreSQL (noted,
    /// and refused in CI).
    pub async fn of_this_process() -> anyhow::Result<Option<&'static Self>> {
        static CLUSTER: OnceCell<Result<Option<Cluster>, String>> = OnceCell::const_new();
        match CLUSTER.get_or_init(async || Self::start().await.map_err(|error| format!("{error:#}"))).await {
            Ok(cluster) => Ok(cluster.as_ref()),
            Err(error) => bail!("{error}"),
        }
    }

    /// A cluster for one test alone, which may stop it.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let without = "what needs PostgreSQL";
        let Some(initdb) = skip::find_or_skip("initdb", without)? else { return Ok(None) };
        let Some(postgres) = skip::find_or_skip("postgres", without)? else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("gatelodge-pg-").tempdir().context("cannot make a folder")?;
        let mut command = as_its_user(folder.path())?;
        command.args(["sh", "-c", KEEPER, "keeper"]).arg(initdb).arg(postgres).arg(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = command.spawn().with_context(|| format!("cannot start PostgreSQL ({command:?})"))?;
        let lifeline = keeper.stdin.take().context("PostgreSQL's keeper has no standard input")?;
        // From here on the keeper removes the folder.
        let mut cluster = Self { folder: folder.keep(), created: AtomicU32::new(0), keeper, _lifeline: lifeline };
        cluster.wait_for_socket().await?;
        Ok(Some(cluster))
    }

    /// Makes an empty database and gives its address.
    pub async fn create_database(&self) -> anyhow::Result<String> {
        self.create("").await
    }

    /// Makes a database with what another one has, to which nobody is connected, and gives its address.
    pub async fn copy_database(&self, url: &str) -> anyhow::Result<String> {
        let url: url::Url = url.parse().context("the database has no address")?;
        self.create(&format!(" TEMPLATE {}", url.path().trim_start_matches('/'))).await
    }

    async fn create(&self, like: &str) -> anyhow::Result<String> {
        let name = format!("t{}", self.created.fetch_add(1, Ordering::Relaxed));
        let mut server = wait_until("PostgreSQL accepts connections", Duration::from_secs(60), async || {
            Ok(Some(self.options().database("postgres").connect().await?))
        })
        .await?;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}{like}"));
        sqlx::raw_sql(create).execute(&mut server).await.with_context(|| format!("cannot create {name}"))?;
        server.close().await.context("cannot leave PostgreSQL")?;
        Ok(format!("postgres://gatelodge@localhost/{name}?host={}", self.folder.display()))
    }

    /// Ends the server without a word to anybody, as a crash would, and starts it again.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let pg_ctl = skip::find("pg_ctl").context("there is no pg_ctl beside PostgreSQL")?;
        let mut command = as_its_user(&self.folder)?;
        command.arg(pg_ctl).args(["restart", "-m", "immediate", "-w", "-t", "60", "-D"]).arg(self.folder.join("data"));
        command.arg("-l").arg(self.folder.join("log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = tokio::process::Command::from(command).status().await.context("cannot start pg_ctl")?;
        anyhow::ensure!(status.success(), "PostgreSQL did not come back: pg_ctl ended with {status}");
        Ok(())
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(&self.folder).username("gatelodge")
    }

    async fn wait_for_socket(&mut self) -> anyhow::Result<()> {
        let socket = self.folder.join(".s.PGSQL.5432");
        let ready = wait_until("PostgreSQL opens its socket", Duration::from_secs(120), async || {
            let ended = self.keeper.try_wait().context("cannot ask after PostgreSQL")?;
            Ok(ended.map(Err).or_else(|| socket.exists().then_some(Ok(()))))
        });
        let trouble = match ready.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(status)) => anyhow::anyhow!("PostgreSQL ended ({status})"),
            Err(error) => error,
        };
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(trouble.context(format!("PostgreSQL did not start; its log says:\n{log}")))
    }
}

/// PostgreSQL refuses to run as root, so root runs it as `postgres`, the user that its package brings.
fn as_its_user(folder: &Path) -> anyhow::Result<Command> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Command::new("env"));
    }
    let told = Command::new("id").args(["-u", "postgres"]).output().context("cannot start `id`")?;
    let user: u32 = String::from_utf8_lossy(&told.stdout)
        .trim()
        .parse()
        .context("there is no system user `postgres`; add one with: useradd --system postgres")?;
    let group = folder.metadata().context("cannot read the folder's owner")?.gid();
    chown(folder, Some(user), Some(group)).context("cannot give the folder to `postgres`")?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
    Ok(command)
}
