//! A real `gatelodge-agent`, with its own state folder, settings file and factory data.

use std::{net::SocketAddr, path::PathBuf, process::Command, sync::Arc};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;

use crate::{
    cloud::{Said, TestCloud},
    place::Place,
    ports::free_port,
    process::Process,
    programs::program,
    settings::{lines, quoted, write_private},
    story::Told,
};

/// What an agent is started with.
#[derive(Debug, Default)]
pub struct AgentSetup {
    /// Where settings and state are kept; a temporary folder when `None`.
    pub folder: Option<PathBuf>,
    /// The factory data as TOML; what it does not say is read from this machine.
    pub factory: String,
    /// `enrolment.method`; the agent's default when `None`.
    pub method: Option<&'static str>,
    /// What a session may reach: name and address.
    pub services: Vec<(String, SocketAddr)>,
    /// The same over UDP.
    pub udp_services: Vec<(String, SocketAddr)>,
    /// What is said of a service besides: its name, the key and the TOML value.
    pub profiles: Vec<(&'static str, &'static str, String)>,
    /// What a session may reach as a whole: name and subnet.
    pub networks: Vec<(String, String)>,
    /// Folders for files: name, place and whether files may be put there.
    pub folders: Vec<(&'static str, PathBuf, bool)>,
    /// Where the installation calls the technician: name, protocol, port and who may.
    pub listens: Vec<(String, &'static str, u16, String)>,
    /// More settings, as dotted key and TOML value.
    pub more: Vec<(String, String)>,
    /// What its environment says besides.
    pub environment: Vec<(String, String)>,
    /// Another build of the program; the one next to the tests when `None`.
    pub program: Option<PathBuf>,
    /// Where its programs run; among the tests when `None`.
    pub place: Option<Arc<Place>>,
}

impl AgentSetup {
    /// A device with this identity on its label.
    pub fn labelled(id_code: &str, mac: &str, serial: &str) -> Self {
        let (id_code, mac, serial) = (quoted(id_code), quoted(mac), quoted(serial));
        Self { factory: format!("id_code = {id_code}\nmac = {mac}\nserial = {serial}\n"), ..Self::default() }
    }

    /// With one more service behind it.
    #[must_use]
    pub fn with_service(mut self, name: &str, address: SocketAddr) -> Self {
        self.services.push((name.to_owned(), address));
        self
    }

    /// With one more setting.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.more.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// An agent. Dropping it kills the process and removes a temporary folder.
#[derive(Debug)]
pub struct TestAgent {
    process: Option<Process>,
    folder: PathBuf,
    page: u16,
    program: PathBuf,
    place: Option<Arc<Place>>,
    environment: Vec<(String, String)>,
    _temporary: Option<tempfile::TempDir>,
}

impl TestAgent {
    /// Writes the settings for that cloud and starts the process.
    pub fn start(cloud: &TestCloud, setup: AgentSetup) -> anyhow::Result<Self> {
        let mut agent = Self::prepare(cloud, setup)?;
        agent.run()?;
        Ok(agent)
    }

    /// Writes the settings and starts nothing yet.
    pub fn prepare(cloud: &TestCloud, setup: AgentSetup) -> anyhow::Result<Self> {
        let (folder, temporary) = if let Some(given) = setup.folder {
            std::fs::create_dir_all(&given).with_context(|| format!("cannot make {}", given.display()))?;
            (given, None)
        } else {
            let made = tempfile::Builder::new().prefix("gatelodge-agent-").tempdir().context("cannot make a folder")?;
            (made.path().to_owned(), Some(made))
        };
        let page = free_port()?;
        let factory = folder.join("factory.toml");
        let settings = [
            ("state_dir", quoted(&folder.join("state").display().to_string())),
            ("cloud.url", quoted(&cloud.device_url())),
            ("cloud.ca_file", quoted(&cloud.server_ca().display().to_string())),
            ("identity.factory_file", quoted(&factory.display().to_string())),
            ("local_page.listen", quoted(&format!("127.0.0.1:{page}"))),
            ("link.first_retry_ms", "100".to_owned()),
        ];
        let mut text = lines(settings) + &lines(setup.more);
        text += &lines(setup.method.map(|method| ("enrolment.method", quoted(method))));
        let services = setup.services.into_iter().map(|service| (service, "tcp"));
        for ((name, address), protocol) in
            services.chain(setup.udp_services.into_iter().map(|service| (service, "udp")))
        {
            let fields = [
                ("name", quoted(&name)),
                ("protocol", quoted(protocol)),
                ("host", quoted(&address.ip().to_string())),
                ("port", address.port().to_string()),
            ];
            text = text + "\n[[services]]\n" + &lines(fields);
            let said = setup.profiles.iter().filter(|(service, ..)| *service == name);
            text += &lines(said.map(|(_, key, value)| (*key, value.clone())));
        }
        for (name, subnet) in setup.networks {
            text = text + "\n[[networks]]\n" + &lines([("name", quoted(&name)), ("subnet", quoted(&subnet))]);
        }
        for (name, path, write) in setup.folders {
            let fields =
                [("name", quoted(name)), ("path", quoted(&path.display().to_string())), ("write", write.to_string())];
            text = text + "\n[[folders]]\n" + &lines(fields);
        }
        for (name, protocol, port, from) in setup.listens {
            let fields = [
                ("name", quoted(&name)),
                ("protocol", quoted(protocol)),
                ("port", port.to_string()),
                ("from", quoted(&from)),
            ];
            text = text + "\n[[listens]]\n" + &lines(fields);
        }
        write_private(&factory, &setup.factory)?;
        write_private(&folder.join("agent.toml"), &text)?;
        let program = setup.program.map_or_else(|| program("gatelodge-agent"), Ok)?;
        Ok(Self {
            process: None,
            folder,
            page,
            program,
            place: setup.place,
            environment: setup.environment,
            _temporary: temporary,
        })
    }

    /// Starts the process.
    pub fn run(&mut self) -> anyhow::Result<()> {
        self.run_as(self.command(["run"])?)
    }

    /// Starts the process by this command, as with a tracer around it. Whoever wraps it keeps its process id.
    pub fn run_as(&mut self, mut command: Command) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "the agent runs already");
        self.process = Some(Process::start("gatelodge-agent", &mut command)?);
        Ok(())
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        self.process.as_mut().map_or(Ok(true), |process| Ok(process.ended()?.is_some()))
    }

    /// Kills the process at once, as a power cut would; the state stays.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Asks the process to stop, without waiting.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.as_ref().context("the agent does not run")?.signal(signal)
    }

    /// A verb of its command line with these settings.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join("agent.toml")).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(match &self.place {
            Some(place) => place.command(&command),
            None => command,
        })
    }

    /// What a verb of its command line says, like `status`.
    pub async fn say<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Said> {
        Said::of(self.command(arguments)?).await
    }

    /// What its own page says of it, asked without a program.
    pub async fn told(&self) -> anyhow::Result<Told> {
        Ok(Told(reqwest::get(format!("{}/status.json", self.page())).await?.json().await?))
    }

    /// What the process has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The address of its local page.
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}", self.page)
    }

    /// Where its key, certificate and outbox are.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }
}
