//! The agent killed at each system call that touches its state: it holds the old identity or the new one, never none
//! and never half of each, and the next start is online.

use std::{ffi::OsString, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use gatelodge_agent::state::{Holding, Leaf, StateDir, read_holding};
use gatelodge_proto::{Random, Timestamp};

use super::under;
use crate::{
    agent::TestAgent, cloud::CloudSetup, faketime::Faketime, site::Site, skip, speaker::Speaker, wait::wait_until,
};

/// Where a power cut could tear a file.
const CALLS: [&str; 4] = ["openat", "write", "fsync", "rename"];
/// No program makes more calls to its state than this until it is online.
const MOST: usize = 40;
/// When a certificate of 90 days is due to be renewed, whatever its jitter.
const DUE: &str = "+70d";
const ONLINE_WITHIN: Duration = Duration::from_secs(60);

/// What is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum During {
    /// The first start, from no key to being online.
    Enrolment,
    /// The renewal of a certificate that is due.
    Renewal,
}

/// What the device held before or after a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    key: Option<[u8; 32]>,
    certificate: Option<(String, Timestamp)>,
}

/// Cuts at every `step`-th call of each kind; `None` when this machine lacks a part.
pub async fn play(during: During, step: usize) -> anyhow::Result<Option<String>> {
    let Some(strace) = skip::find_or_skip("strace", "power cuts on the device")? else { return Ok(None) };
    let Some(faketime) = Faketime::find("a renewal that is due")? else { return Ok(None) };
    let mut site = Site::open(CloudSetup::default()).await?;
    let places = (1..=MOST).step_by(step.max(1));
    let mut agents = Vec::new();
    for unit in site.make(u32::try_from(CALLS.len() * places.clone().count())?).await? {
        let agent = TestAgent::prepare(&site.cloud, unit.setup()?)?;
        if during == During::Renewal {
            let enrolled = Speaker::enrol(&site, unit, &Random::system()).await?;
            StateDir::open(&agent.state_dir())?.hold(&enrolled.into_holding())?;
        }
        agents.push(agent);
    }
    let ahead = (during == During::Renewal).then_some(&faketime);
    if ahead.is_some() {
        site.cloud.stop().await?;
        site.cloud
            .serve_under(|mut command| {
                faketime.dress(&mut command, DUE);
                command
            })
            .await?;
    }
    let mut cuts = 0;
    for call in CALLS {
        for place in places.clone() {
            let mut agent = agents.pop().context("one agent for each cut was made")?;
            let cut = Cut { strace: &strace, call, place, ahead };
            let was_cut = cut.play(&mut agent).await.with_context(|| format!("killed at {call} number {place}"))?;
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    ensure!(cuts > 0, "the agent was never cut");
    Ok(Some(format!("{cuts} cuts, each followed by a start that was online with one identity")))
}

struct Cut<'a> {
    strace: &'a Path,
    call: &'static str,
    place: usize,
    /// Renewal: the device's clock stands where its certificate is due.
    ahead: Option<&'a Faketime>,
}

impl Cut<'_> {
    /// Whether it came so far as to be cut.
    async fn play(&self, agent: &mut TestAgent) -> anyhow::Result<bool> {
        let before = held(agent)?;
        let plain = self.dressed(agent.command(["run"])?);
        agent.run_as(under(self.strace.as_os_str(), self.arguments(agent), &plain))?;
        let done = wait_until("the agent is cut or done", ONLINE_WITHIN, async || {
            if agent.has_ended()? {
                return Ok(Some(true));
            }
            Ok(self.is_done(agent, &before).await?.then_some(false))
        });
        let was_cut = done.await?;
        agent.kill()?;
        let after = held(agent)?;
        ensure!(before.key.is_none() || after.key == before.key, "the key changed from {before:?} to {after:?}");
        ensure!(
            before.certificate.is_none() || after.certificate.is_some(),
            "there was a certificate before the cut, and there is none after it"
        );
        agent.run_as(plain)?;
        online(agent).await?;
        agent.kill()?;
        let last = held(agent)?;
        ensure!(after.key.is_none() || after.key == last.key, "the key on disk was not the one it went on with");
        Ok(was_cut)
    }

    fn dressed(&self, mut command: Command) -> Command {
        if let Some(faketime) = self.ahead {
            faketime.dress(&mut command, DUE);
        }
        command
    }

    fn arguments(&self, agent: &TestAgent) -> Vec<OsString> {
        let (call, place) = (self.call, self.place);
        let mut arguments: Vec<OsString> = ["-D", "-f", "-o", "/dev/null", "-e"].map(Into::into).into_iter().collect();
        arguments.push(format!("trace={call}").into());
        arguments.push("-e".into());
        arguments.push(format!("inject={call}:signal=SIGKILL:when={place}").into());
        let state = agent.state_dir();
        let files = ["credentials.json", "boot.json", "registration.json", "hour.json", "outbox.log"];
        let paths = files.iter().flat_map(|file| [state.join(file), state.join(format!("{file}.tmp"))]);
        for path in paths.chain([state.clone(), state.join("lock")]) {
            arguments.extend(["-P".into(), path.into()]);
        }
        arguments
    }

    async fn is_done(&self, agent: &TestAgent, before: &Held) -> anyhow::Result<bool> {
        let renewed = || Ok::<_, anyhow::Error>(held(agent)?.certificate != before.certificate);
        Ok(is_online(agent).await && (self.ahead.is_none() || renewed()?))
    }
}

fn held(agent: &TestAgent) -> anyhow::Result<Held> {
    let state = agent.state_dir();
    let holding = if state.exists() { read_holding(&state)? } else { None };
    Ok(match holding {
        None => Held { key: None, certificate: None },
        Some(Holding::Key { key }) => Held { key: Some(key.thumbprint()?), certificate: None },
        Some(Holding::Enrolled { key, credentials }) => {
            // Refuses a certificate of another key: half of the old and half of the new.
            let leaf = Leaf::for_key(&credentials.chain, &key.thumbprint()?, Some(credentials.device))?;
            let certificate = Some((leaf.serial.to_string(), leaf.not_after));
            Held { key: Some(key.thumbprint()?), certificate }
        }
        Some(Holding::Retired) => anyhow::bail!("the device is retired"),
    })
}

async fn online(agent: &TestAgent) -> anyhow::Result<()> {
    let online = wait_until("the agent is online", ONLINE_WITHIN, async || Ok(is_online(agent).await.then_some(())));
    online.await.with_context(|| format!("the agent wrote:\n{}", agent.log()))
}

async fn is_online(agent: &TestAgent) -> bool {
    agent.told().await.is_ok_and(|told| told.is_settled())
}
