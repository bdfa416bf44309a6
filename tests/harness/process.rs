//! A program of ours or of others as a child: its output kept, killed with whoever holds it, shown when a test fails.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal};

use crate::wait::wait_until;

/// How long the last lines of a program that has ended may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// A running child. Dropping it kills it and, when the test is failing, prints what it wrote.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Log,
}

/// What a child wrote; both readers hold a clone until their stream ends.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Process {
    /// Starts `command` with its output kept and nothing to read.
    pub fn start(name: impl Into<String>, command: &mut Command) -> anyhow::Result<Self> {
        let name = name.into();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name} ({command:?})"))?;
        let log = Log::default();
        if let Some(out) = child.stdout.take() {
            log.follow(out);
        }
        if let Some(err) = child.stderr.take() {
            log.follow(err);
        }
        Ok(Self { name, child, log })
    }

    /// What it has written so far, both streams in the order they came.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, once it has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask after {}", self.name))
    }

    /// Waits for the end of a program that ends by itself, and for what it said last.
    pub async fn wait(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let name = self.name.clone();
        let status = wait_until(format!("{name} ends"), within, async || self.ended()).await?;
        // Its last lines may still be on their way, unless a program that it started holds on to where they go.
        let whole = async || Ok(self.log.is_whole().then_some(()));
        let _ = wait_until(format!("{name}'s last lines"), LAST_LINES, whole).await;
        Ok(status)
    }

    /// Sends a signal, as `kill` would.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no such process id")?;
        rustix::process::kill_process(id, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Kills it at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(())
    }

    /// Waits until it has written a line that contains `words`, and gives that line.
    pub async fn wait_for_line(&mut self, words: &str, within: Duration) -> anyhow::Result<String> {
        let name = self.name.clone();
        let found = wait_until(format!("{name} writes `{words}`"), within, async || {
            if let Some(line) = self.log().lines().find(|line| line.contains(words)) {
                return Ok(Some(Ok(line.to_owned())));
            }
            // The last lines may still be on their way when the program is gone.
            let is_whole = self.log.is_whole();
            Ok(self.ended()?.filter(|_| is_whole).map(Err))
        });
        match found.await {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(status)) => anyhow::bail!("{name} ended ({status}) without `{words}`:\n{}", self.log()),
            Err(error) => Err(error.context(format!("{name} wrote:\n{}", self.log()))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            show(&format!("--- {} wrote:\n{}", self.name, self.log()));
        }
    }
}

impl Log {
    fn follow(&self, stream: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                log.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
    }

    /// Whether nothing more can come.
    fn is_whole(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[expect(clippy::print_stderr, reason = "what a failing test shows")]
fn show(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_both_streams_and_finds_a_line() {
        let mut shell =
            Process::start("sh", Command::new("sh").args(["-c", "echo out; echo err >&2; read x"])).unwrap();
        assert_eq!(shell.wait_for_line("err", Duration::from_secs(10)).await.unwrap(), "err\n".trim());
        assert!(shell.wait(Duration::from_secs(10)).await.is_ok());
        assert!(shell.log().contains("out"));
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_output() {
        let mut shell = Process::start("sh", Command::new("sh").args(["-c", "echo trouble; exit 3"])).unwrap();
        let error = shell.wait_for_line("ready", Duration::from_secs(10)).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("trouble"), "{error}");
    }
}
