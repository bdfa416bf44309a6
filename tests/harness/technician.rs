//! A real `gatelodge`, with a home folder of its own.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context as _, ensure};

use crate::{
    cloud::{Said, TestCloud},
    place::Place,
    process::Process,
    programs::program,
};

/// A technician's computer. Processes it started are held by whoever asked for them.
#[derive(Debug)]
pub struct TestTechnician {
    home: tempfile::TempDir,
    server_ca: PathBuf,
    place: Option<Arc<Place>>,
    environment: BTreeMap<String, String>,
}

impl TestTechnician {
    /// A computer that trusts that cloud's CA.
    pub fn beside(cloud: &TestCloud) -> anyhow::Result<Self> {
        let home =
            tempfile::Builder::new().prefix("gatelodge-technician-").tempdir().context("cannot make a folder")?;
        Ok(Self { home, server_ca: cloud.server_ca(), place: None, environment: BTreeMap::new() })
    }

    /// A verb of the command line on that computer.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Command> {
        let mut command = Command::new(program("gatelodge")?);
        command.args(arguments).env("HOME", self.home.path()).env("GATELODGE_CA_FILE", &self.server_ca);
        for (name, folder) in [("XDG_CONFIG_HOME", ".config"), ("XDG_STATE_HOME", ".state"), ("XDG_DATA_HOME", ".data")]
        {
            command.env(name, self.home.path().join(folder));
        }
        command.envs(&self.environment);
        Ok(match &self.place {
            Some(place) => place.command(&command),
            None => command,
        })
    }

    /// Its programs run in that place from now on.
    pub fn sits_in(&mut self, place: Arc<Place>) {
        self.place = Some(place);
    }

    /// Its environment says so from now on; nothing when the value is empty.
    pub fn hears(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.environment.remove(name);
        } else {
            self.environment.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Runs some other program there to its end.
    pub async fn said(&self, command: Command) -> anyhow::Result<Said> {
        Said::of(match &self.place {
            Some(place) => place.command(&command),
            None => command,
        })
        .await
    }

    /// Runs a verb to its end.
    pub async fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Said> {
        Said::of(self.command(arguments)?).await
    }

    /// Starts a verb on a terminal of its own, at which somebody types one line.
    pub fn start_at_terminal<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        typed: &str,
    ) -> anyhow::Result<Process> {
        let keyboard = self.home.path().join("typed");
        std::fs::write(&keyboard, format!("{typed}\n")).context("cannot write what is typed")?;
        self.start_typed(arguments, &keyboard)
    }

    /// Starts a verb on a terminal of its own, whose keyboard is written to as it goes on.
    pub fn start_at_keyboard<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<(Process, File)> {
        let keys = self.home.path().join("keys");
        let made = Command::new("mkfifo").arg(&keys).status().context("cannot start mkfifo")?;
        ensure!(made.success(), "mkfifo ended with {made}");
        // Open both ways, it waits for no reader, and its reader sees no end.
        let keyboard = File::options().read(true).write(true).open(&keys).context("cannot open a keyboard")?;
        Ok((self.start_typed(arguments, &keys)?, keyboard))
    }

    fn start_typed<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        keyboard: &Path,
    ) -> anyhow::Result<Process> {
        let verb = self.command(arguments)?;
        let words = std::iter::once(verb.get_program()).chain(verb.get_args());
        let quoted: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("sh");
        // `script` (of util-linux) makes the terminal; the shell gives it the line for a keyboard.
        command.args(["-c", "exec script --quiet --return --command \"$1\" /dev/null < \"$2\"", "sh"]);
        command.arg(format!("stty columns 160; {}", quoted.join(" "))).arg(keyboard);
        command.envs(verb.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Process::start("gatelodge at a terminal", &mut command)
    }

    /// Starts a verb that stays, like `forward` or a `sign-in` that waits for the browser.
    pub fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Process> {
        Process::start("gatelodge", &mut self.command(arguments)?)
    }
}
