//! Terminals of devices: real agents, real shells, a real cloud. Who gets one, what they see, what is recorded, who can
//! read that, and that nothing is left over.

mod kept;
mod live;
mod opened;
mod page;
mod replay;
mod shells;

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    process::Process,
    story::{self, Mails, Stage},
    wait::wait_until,
};

use self::opened::Key;

const DEVICE: &str = "villa-rosa";
const SOON: Duration = Duration::from_secs(120);

/// A device with terminals for `nobody`, a technician who is signed in, and keys for both organisations.
struct Scene {
    stage: Stage,
    customer: Key,
    installer: Key,
    folder: tempfile::TempDir,
}

fn with_terminal(user: &str) -> AgentSetup {
    AgentSetup::default()
        .set("terminal.enabled", "true")
        .set("terminal.user", &format!("\"{user}\""))
        .set("terminal.shell", "\"/bin/sh\"")
}

async fn unkeyed(cloud: CloudSetup, agent: AgentSetup) -> anyhow::Result<(Stage, tempfile::TempDir)> {
    let cloud = TestCloud::start(cloud).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    story::sign_in_technician(&mut stage).await?;
    Ok((stage, folder))
}

async fn scene(agent: AgentSetup) -> anyhow::Result<Scene> {
    scene_on(CloudSetup::default(), agent).await
}

async fn scene_on(cloud: CloudSetup, agent: AgentSetup) -> anyhow::Result<Scene> {
    let (mut stage, folder) = unkeyed(cloud, agent).await?;
    let (customer, installer) = (Key::make()?, Key::make()?);
    for (hands, key) in [(&mut stage.customer, &customer), (&mut stage.installer, &installer)] {
        hands.open("/sessions/recordings").await?;
        let (public, wrapped) = (key.public(), BASE64.encode([7; 154]));
        let (salt, nonce) = (BASE64.encode([1; 16]), BASE64.encode([2; 12]));
        let fields = [
            ("public_key", public.as_str()),
            ("salt", &salt),
            ("rounds", "600000"),
            ("nonce", &nonce),
            ("wrapped", &wrapped),
        ];
        hands.submit("/sessions/recordings/key", &fields).await?;
        hands.reads("The recording passphrase is set").await?;
    }
    Ok(Scene { stage, customer, installer, folder })
}

impl Scene {
    /// Runs a line in a terminal, which the customer allows.
    async fn shell(&mut self, line: &str) -> anyhow::Result<Process> {
        let process = self.stage.technician.start(["shell", DEVICE, "--reason", "log files", "--", line])?;
        story::allow(&mut self.stage).await.with_context(|| format!("shell wrote:\n{}", process.log()))?;
        Ok(process)
    }

    async fn ran(&mut self, line: &str) -> anyhow::Result<(ExitStatus, String)> {
        let mut process = self.shell(line).await?;
        let status = process.wait(SOON).await.with_context(|| self.logs(&process))?;
        Ok((status, process.log()))
    }

    fn logs(&self, process: &Process) -> String {
        format!(
            "shell wrote:\n{}\nthe agent:\n{}\nthe cloud:\n{}",
            process.log(),
            self.stage.agent.log(),
            self.stage.cloud.log()
        )
    }

    /// The files of the recordings that the cloud has taken, as soon as there are so many.
    async fn taken(&self, count: usize) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.stage.cloud.data_dir().join("recordings");
        let files = wait_until(format!("the cloud has {count} recordings"), SOON, async || {
            let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(None) };
            let mut files: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
            files.retain(|path| path.extension().is_some_and(|kind| kind == "rec"));
            files.sort();
            Ok((files.len() >= count).then_some(files))
        });
        files
            .await
            .with_context(|| format!("the agent:\n{}\nthe cloud:\n{}", self.stage.agent.log(), self.stage.cloud.log()))
    }
}

/// How many processes of this machine have that command line.
fn processes_with(words: &str) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let lines = entries.flatten().filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).replace('\0', " ").trim_end() == words).count()
}
