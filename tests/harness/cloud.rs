//! A real `gatelodge-cloud`, with its own data folder, settings file and ports.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;

use crate::{
    database::Database,
    mailbox::Mailbox,
    ports::free_port,
    process::Process,
    programs::program,
    settings::{lines, quoted},
    wait::wait_until,
};

/// What a cloud is started with; the defaults are a complete one on a temporary folder.
#[derive(Debug, Default)]
pub struct CloudSetup {
    /// Where it keeps its data; a temporary folder when `None`.
    pub data_dir: Option<PathBuf>,
    /// Its database; the SQLite file in its data folder when `None`.
    pub database: Option<Database>,
    /// `mail.smtp_url`; the built-in mailbox when `None`.
    pub smtp_url: Option<String>,
    /// The port of whatever stands between agents, technicians and the cloud; nothing does when `None`.
    pub front: Option<u16>,
    /// The name by which agents and technicians know it; `localhost` when `None`.
    pub host: Option<String>,
    /// `database.url`, for a database that this harness does not own.
    pub database_url: Option<String>,
    /// More settings, as dotted key and TOML value.
    pub more: Vec<(String, String)>,
}

impl CloudSetup {
    /// With a database of its own.
    #[must_use]
    pub fn on(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// With its mails caught.
    #[must_use]
    pub fn mailing_to(mut self, mailbox: &Mailbox) -> Self {
        self.smtp_url = Some(mailbox.url());
        self
    }

    /// Reached by agents and technicians through this port, where somebody passes their connections on.
    #[must_use]
    pub fn behind(mut self, port: u16) -> Self {
        self.front = Some(port);
        self
    }

    /// With one more setting, like `("sessions.max_minutes", "5")`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.more.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// The addresses that a cloud writes into its data folder.
#[derive(Debug, Clone, Deserialize)]
pub struct Addresses {
    /// Portal, API, enrolment and relay, with TLS.
    pub https: SocketAddr,
    /// The portal without TLS.
    pub loopback: Option<SocketAddr>,
    /// The embedded device endpoint.
    pub mqtt: Option<SocketAddr>,
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Whether it ended well.
    pub success: bool,
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Runs a command to its end; one that does not end is killed and refused.
    pub async fn of(command: Command) -> anyhow::Result<Self> {
        let shown = format!("{command:?}");
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(Duration::from_secs(60), output).await;
        let output = output.with_context(|| format!("{shown} does not end"))?;
        let output = output.with_context(|| format!("cannot run {shown}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status;
        Ok(Self {
            success: status.success(),
            code: status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// What a person read, when it ended with this code.
    pub fn refused(self, code: i32) -> anyhow::Result<String> {
        ensure!(self.code == Some(code), "it ended with {:?}:\n{}{}", self.code, self.out, self.err);
        Ok(self.err)
    }

    /// What it printed, when it ended well.
    pub fn ok(self) -> anyhow::Result<String> {
        ensure!(self.success, "it ended with {:?}:\n{}{}", self.code, self.out, self.err);
        Ok(self.out)
    }
}

/// A cloud. Dropping it kills the process and removes a temporary folder.
#[derive(Debug)]
pub struct TestCloud {
    process: Option<Process>,
    data_dir: PathBuf,
    config: PathBuf,
    host: String,
    ports: Ports,
    _database: Option<Database>,
    _folder: Option<tempfile::TempDir>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    https: u16,
    front: u16,
    loopback: u16,
    mqtt: u16,
}

impl TestCloud {
    /// Starts a cloud and waits until it listens.
    pub async fn start(setup: CloudSetup) -> anyhow::Result<Self> {
        let mut cloud = Self::prepare(setup)?;
        cloud.serve().await?;
        Ok(cloud)
    }

    /// Writes the settings and starts nothing yet.
    pub fn prepare(setup: CloudSetup) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatelodge-cloud-").tempdir().context("cannot make a folder")?;
        let (data_dir, config, folder) = match setup.data_dir {
            Some(given) => {
                std::fs::create_dir_all(&given).with_context(|| format!("cannot make {}", given.display()))?;
                (given.join("cloud"), given.join("cloud.toml"), None)
            }
            None => (folder.path().join("data"), folder.path().join("cloud.toml"), Some(folder)),
        };
        let https = free_port()?;
        let front = setup.front.unwrap_or(https);
        let ports = Ports { https, front, loopback: free_port()?, mqtt: free_port()? };
        let host = setup.host.clone().unwrap_or_else(|| "localhost".to_owned());
        let mut settings = vec![
            ("data_dir".to_owned(), quoted(&data_dir.display().to_string())),
            ("public_url".to_owned(), quoted(&format!("http://localhost:{}", ports.loopback))),
            ("device_url".to_owned(), quoted(&format!("https://{host}:{}", ports.front))),
            ("http.listen".to_owned(), quoted(&format!("127.0.0.1:{}", ports.https))),
            ("http.loopback".to_owned(), quoted(&format!("127.0.0.1:{}", ports.loopback))),
            ("mqtt.listen".to_owned(), quoted(&format!("127.0.0.1:{}", ports.mqtt))),
        ];
        // Stories sign in with a password; those about a second factor say so.
        if !setup.more.iter().any(|(key, _)| key == "sessions.second_factor") {
            settings.push(("sessions.second_factor".to_owned(), quoted("when_set_up")));
        }
        let database_url = setup.database_url.or_else(|| setup.database.as_ref().map(|own| own.url().to_owned()));
        settings.extend(database_url.map(|url| ("database.url".to_owned(), quoted(&url))));
        settings.extend(setup.host.map(|host| ("mqtt.public".to_owned(), quoted(&format!("{host}:{}", ports.mqtt)))));
        settings.extend(setup.smtp_url.map(|url| ("mail.smtp_url".to_owned(), quoted(&url))));
        settings.extend(setup.more);
        std::fs::write(&config, lines(settings)).with_context(|| format!("cannot write {}", config.display()))?;
        Ok(Self { process: None, data_dir, config, host, ports, _database: setup.database, _folder: folder })
    }

    /// Starts the process and waits until it listens.
    pub async fn serve(&mut self) -> anyhow::Result<()> {
        self.serve_under(|command| command).await
    }

    /// The same, with the command changed on its way, as by a tracer around it. Whoever wraps it keeps its process id.
    pub async fn serve_under(&mut self, wrapped: impl FnOnce(Command) -> Command) -> anyhow::Result<()> {
        let addresses = self.data_dir.join("addresses.json");
        // Those of a process that was killed would be taken for its successor's.
        if let Err(error) = std::fs::remove_file(&addresses) {
            ensure!(error.kind() == std::io::ErrorKind::NotFound, "cannot remove {}: {error}", addresses.display());
        }
        let mut process = Process::start("gatelodge-cloud", &mut wrapped(self.command(["serve"])?))?;
        let listens = wait_until("the cloud listens", Duration::from_secs(60), async || {
            let ended = process.ended()?;
            Ok(ended.map(Err).or_else(|| addresses.exists().then_some(Ok(()))))
        });
        let trouble = match listens.await {
            Ok(Ok(())) => {
                self.process = Some(process);
                return Ok(());
            }
            Ok(Err(status)) => anyhow::anyhow!("the cloud ended ({status})"),
            Err(error) => error,
        };
        Err(trouble.context(format!("the cloud did not start; it wrote:\n{}", process.log())))
    }

    /// Kills the process at once, as a power cut would; the data stays.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Asks the process to stop and waits for its end; the data stays.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.signal(Signal::TERM)?;
        let status = process.wait(Duration::from_secs(90)).await?;
        ensure!(status.success(), "the cloud stopped with {status}:\n{}", process.log());
        Ok(())
    }

    /// A verb of its command line with these settings.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Command> {
        let mut command = Command::new(program("gatelodge-cloud")?);
        command.arg("--config").arg(&self.config).args(arguments).env_remove("GATELODGE_CONFIG");
        Ok(command)
    }

    /// Runs a verb to its end.
    pub async fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Said> {
        Said::of(self.command(arguments)?).await
    }

    /// What the process has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The portal's address for browsers on this machine, without a slash at the end.
    pub fn portal(&self) -> String {
        format!("http://localhost:{}", self.ports.loopback)
    }

    /// The address for agents and technicians, without a slash at the end.
    pub fn device_url(&self) -> String {
        format!("https://{}:{}", self.host, self.ports.front)
    }

    /// Where it listens for them.
    pub fn https_port(&self) -> u16 {
        self.ports.https
    }

    /// The embedded device endpoint.
    pub fn mqtt_port(&self) -> u16 {
        self.ports.mqtt
    }

    /// Where its data are.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Its settings file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The CA that signs what agents and technicians connect to.
    pub fn server_ca(&self) -> PathBuf {
        self.data_dir.join("keys/server-ca.pem")
    }

    /// TLS settings that trust it, for a client of the device endpoint's or the portal's port without a certificate.
    pub fn trusted(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.server_ca()).context("the cloud has no CA")?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// How many sockets the process holds open. Files are not counted: its database opens more of them when it is busy.
    pub fn open_sockets(&self) -> anyhow::Result<usize> {
        let id = self.process.as_ref().map(Process::id).context("the cloud does not run")?;
        let open = std::fs::read_dir(format!("/proc/{id}/fd"))?;
        // What is closed meanwhile cannot be read.
        let kinds = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        Ok(kinds.filter(|kind| kind.to_string_lossy().starts_with("socket:")).count())
    }

    /// What it says it listens on.
    pub fn addresses(&self) -> anyhow::Result<Addresses> {
        let file = self.data_dir.join("addresses.json");
        let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is unreadable", file.display()))
    }
}
