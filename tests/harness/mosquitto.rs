//! A real Mosquitto with the configuration that `docs/operate/mosquitto` gives to operators.

use std::{path::Path, process::Command, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpStream;

use crate::{ports::free_port, process::Process, programs::repository, skip, wait::wait_until};

/// A broker that waits for its keys, or runs.
#[derive(Debug)]
pub struct Mosquitto {
    program: std::path::PathBuf,
    folder: tempfile::TempDir,
    devices: u16,
    registrars: u16,
    process: Option<Process>,
}

impl Mosquitto {
    /// Picks the ports; `None` when this machine has no Mosquitto (noted, and refused in CI).
    pub fn prepare() -> anyhow::Result<Option<Self>> {
        let Some(program) = skip::find_or_skip("mosquitto", "what needs an external broker")? else { return Ok(None) };
        let folder =
            tempfile::Builder::new().prefix("gatelodge-mosquitto-").tempdir().context("cannot make a folder")?;
        Ok(Some(Self { program, folder, devices: free_port()?, registrars: free_port()?, process: None }))
    }

    /// Where devices connect, as `host:port`.
    pub fn public(&self) -> String {
        format!("localhost:{}", self.devices)
    }

    /// Where the registrar connects, as `host:port`.
    pub fn broker(&self) -> String {
        format!("localhost:{}", self.registrars)
    }

    /// Starts it with the keys of a cloud's data folder, letting in the registrar of that name.
    pub async fn start(&mut self, keys: &Path, registrar: &str) -> anyhow::Result<()> {
        let given = repository().join("docs/operate/mosquitto");
        let read =
            |name: &str| std::fs::read_to_string(given.join(name)).with_context(|| format!("cannot read {name}"));
        let own = |name: &str| self.folder.path().join(name);
        let write =
            |name: &str, text: String| std::fs::write(own(name), text).with_context(|| format!("cannot write {name}"));
        let config = read("mosquitto.conf")?
            .replace("/etc/mosquitto/gatelodge", &self.folder.path().display().to_string())
            .replace("listener 8883", &format!("listener {} 127.0.0.1", self.devices))
            .replace("listener 8884", &format!("listener {} 127.0.0.1", self.registrars));
        // Root would become `mosquitto`, who may not enter the folder.
        write("mosquitto.conf", format!("user root\n{config}"))?;
        write("device.acl", read("device.acl")?)?;
        write("service.acl", read("service.acl")?.replace("svc-registrar-NODE", registrar))?;
        for name in ["device-ca.pem", "device-ca.crl", "server.pem", "server.key"] {
            let copied = wait_until(format!("the cloud has made {name}"), Duration::from_secs(90), async || {
                std::fs::copy(keys.join(name), own(name)).with_context(|| format!("cannot copy {name}"))?;
                Ok(Some(()))
            });
            copied.await?;
        }
        let process = Process::start("mosquitto", Command::new(&self.program).arg("-c").arg(own("mosquitto.conf")))?;
        let process = self.process.insert(process);
        let ports = [self.devices, self.registrars];
        let listens = wait_until("Mosquitto listens", Duration::from_secs(90), async || {
            for port in ports {
                TcpStream::connect(("127.0.0.1", port)).await?;
            }
            Ok(Some(()))
        });
        listens.await.with_context(|| format!("Mosquitto wrote:\n{}", process.log()))
    }

    /// Does what `gatelodge-revocations.service` of `docs/operate/mosquitto` does when the cloud has written its list.
    pub fn read_revocations(&self, keys: &Path) -> anyhow::Result<()> {
        const LIST: &str = "device-ca.crl";
        std::fs::copy(keys.join(LIST), self.folder.path().join(LIST)).context("cannot copy the revocation list")?;
        self.process.as_ref().context("it does not run")?.signal(rustix::process::Signal::HUP)
    }

    /// Kills it at once.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }
}
