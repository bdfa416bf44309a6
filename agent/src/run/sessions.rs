//! Live sessions: one `gatelodge-agent session` process each, so that nothing a session does can take the agent down.
//! What a process says on its standard output goes to the cloud; the end of a process is the end of its session.

use std::{collections::BTreeMap, ffi::OsString, io, process::Stdio, time::Duration};

use gatelodge_proto::{
    SessionId,
    grant::Grant,
    payload::{self, Consent, EndReason, Happening, Outcome, SessionOrder},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

use super::connected::Connected;
use crate::{
    session::{Control, Limits, Places, Start},
    status::{Board, LiveSession},
};

/// A process that was asked to end and has not ended by then is killed.
const GRACE: Duration = Duration::from_secs(3);

/// News that wait to be taken, from all sessions together. What finds no room waits in its process, and so do the targets
/// that it would tell of.
const ROOM: usize = 16;

/// What the sessions have to tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionNews {
    /// For the cloud.
    Happened(Happening),
    /// One is gone, and everything was told.
    Gone,
}

/// All live sessions.
pub(super) struct Sessions {
    board: Board,
    program: OsString,
    live: BTreeMap<SessionId, Live>,
    said: mpsc::Receiver<Said>,
    say: mpsc::Sender<Said>,
}

struct Live {
    stop: mpsc::Sender<EndReason>,
    /// The rule under which it was opened.
    consent: Consent,
}

#[derive(Debug)]
enum Said {
    Happened(Happening),
    /// The process is gone; with what to tell when it went without a word.
    Gone {
        session: SessionId,
        unsaid: Option<Happening>,
    },
}

impl Connected<'_> {
    /// Starts the process for a session, if its grant is good here: nobody has to wait for a refusal then.
    pub(super) fn open_session(&mut self, order: SessionOrder) -> Outcome {
        if !self.agent.config.cloud.is_relay(&order.relay) {
            let reason =
                "the order names a relay that is neither cloud.url nor cloud.relay_url of the device's settings";
            return Outcome::Refused { reason: reason.into(), end: Some(EndReason::Refused) };
        }
        let proxy = match self.agent.config.cloud.proxy_to(&order.relay, |name| std::env::var(name).ok()) {
            Ok(proxy) => proxy,
            Err(error) => return Outcome::Failed { reason: format!("the environment names a proxy: {error}") },
        };
        let start = Start {
            order,
            proxy,
            key: self.key.clone(),
            credentials: self.credentials.clone(),
            epoch: self.epoch(),
            services: self.agent.config.offered(),
            networks: self.agent.config.networks.clone(),
            places: Places::of(&self.agent.config),
            limits: Limits {
                streams: self.agent.config.remote_access.streams.get(),
                opens_per_second: self.agent.config.remote_access.opens_per_second.get(),
            },
            ca_file: self.agent.config.cloud.ca_file.clone(),
            clock_lacks_us: self.agent.clock.correction(),
        };
        let grant = match start.grant(self.agent.clock.now()) {
            Ok(grant) => grant,
            Err(denied) => return Outcome::Refused { reason: denied.to_string(), end: Some(denied.end()) },
        };
        match self.sessions.open(&grant, payload::encode(&start)) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed { reason: format!("the session process does not start: {error}") },
        }
    }
}

impl Sessions {
    pub(super) fn new(board: Board) -> Self {
        // The running program itself, also when an upgrade has replaced its file meanwhile.
        Self::of_program(board, "/proc/self/exe".into())
    }

    fn of_program(board: Board, program: OsString) -> Self {
        let (say, said) = mpsc::channel(ROOM);
        Self { board, program, live: BTreeMap::new(), said, say }
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn open(&mut self, grant: &Grant, mut line: Vec<u8>) -> io::Result<()> {
        if self.live.contains_key(&grant.session) {
            return Ok(());
        }
        let mut child = Command::new(&self.program)
            .arg0("gatelodge-agent")
            .arg("session")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("its pipes are missing"));
        };
        line.push(b'\n');
        let (stop, stops) = mpsc::channel(1);
        let session = grant.session;
        self.live.insert(session, Live { stop, consent: grant.consent });
        self.board.update(|status| {
            status.sessions.push(LiveSession {
                session,
                technician: grant.technician.name.clone(),
                organisation: grant.technician.organisation_name.clone(),
                since: grant.from,
                until: grant.until,
                reason: grant.reason.clone(),
            });
        });
        tokio::spawn(watch(session, child, input, output, line, stops, self.say.clone()));
        Ok(())
    }

    /// Ends a session; nothing happens when it is not live.
    pub(super) fn stop(&self, session: SessionId, reason: EndReason) {
        if let Some(live) = self.live.get(&session) {
            let _ = live.stop.try_send(reason);
        }
    }

    /// Ends what the customer's rule does not allow any more: with *never* every session, with *ask* those that nobody
    /// was asked about.
    pub(super) fn keep_to(&self, rule: Consent) {
        for (session, live) in &self.live {
            let stands = match rule {
                Consent::Always => true,
                Consent::Ask => live.consent == Consent::Ask,
                Consent::Never => false,
            };
            if !stands {
                self.stop(*session, EndReason::Revoked);
            }
        }
    }

    pub(super) fn stop_all(&self, reason: EndReason) {
        for session in self.live.keys() {
            self.stop(*session, reason);
        }
    }

    /// The next thing to tell.
    pub(super) async fn next(&mut self) -> SessionNews {
        match self.said.recv().await {
            Some(Said::Happened(what)) => SessionNews::Happened(what),
            Some(Said::Gone { session, unsaid }) => {
                self.live.remove(&session);
                self.board.update(|status| status.sessions.retain(|live| live.session != session));
                unsaid.map_or(SessionNews::Gone, SessionNews::Happened)
            }
            // Unreachable while `self.say` lives; nothing to tell is nothing to wait for.
            None => std::future::pending().await,
        }
    }
}

/// Follows one process to its end.
async fn watch(
    session: SessionId,
    mut child: Child,
    mut input: ChildStdin,
    output: ChildStdout,
    start: Vec<u8>,
    mut stops: mpsc::Receiver<EndReason>,
    say: mpsc::Sender<Said>,
) {
    let _ = input.write_all(&start).await;
    let mut lines = BufReader::new(output).lines();
    let mut unsaid = Some(EndReason::RelayLost);
    let (mut killed_at, mut killed) = (None, false);
    let mut heard = None;
    loop {
        tokio::select! {
            room = say.reserve(), if heard.is_some() => match (room, heard.take()) {
                (Ok(room), Some(what)) => room.send(Said::Happened(what)),
                (Ok(_), None) | (Err(_), _) => {}
            },
            line = lines.next_line(), if heard.is_none() => match line {
                Ok(Some(line)) => {
                    heard = read_line(&line);
                    if let Some(Happening::SessionEnded { .. }) = heard {
                        unsaid = None;
                    }
                }
                Ok(None) | Err(_) => break,
            },
            Some(reason) = stops.recv() => {
                unsaid = unsaid.map(|_| reason);
                killed_at = Some(tokio::time::Instant::now() + GRACE);
                let _ = input.write_all(&control_line(Control::Stop(reason))).await;
            }
            () = at(killed_at), if !killed => {
                // What it has said already is still read to the end.
                killed = true;
                let _ = child.start_kill();
            }
        }
    }
    let _ = child.kill().await;
    let unsaid = unsaid.map(|reason| Happening::SessionEnded { session, reason, bytes_up: 0, bytes_down: 0 });
    let _ = say.send(Said::Gone { session, unsaid }).await;
}

fn control_line(control: Control) -> Vec<u8> {
    let mut line = payload::encode(&control);
    line.push(b'\n');
    line
}

async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn read_line(line: &str) -> Option<Happening> {
    serde_json::from_str(line).map_err(|error| tracing::warn!(%error, "session said something unreadable")).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use gatelodge_proto::{
        DeviceId, FlowId, OrganisationId, Random, Timestamp, UserId, grant::Technician, payload::FlowOutcome,
    };

    use super::*;
    use crate::{
        config,
        identity::{Identity, MacSource, SerialSource},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// Sessions whose process is this script: what the agent does when a process misbehaves.
    fn of_script(script: &str) -> (tempfile::TempDir, Board, Sessions) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\nread -r start\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = [("GATELODGE_AGENT__CLOUD__URL".to_owned(), "https://cloud.example.com".to_owned())];
        let config = config::read(None, environment).unwrap();
        let identity = Identity {
            id_code: None,
            serial: "AX-1".parse().unwrap(),
            serial_source: SerialSource::Factory,
            mac: "02:42:AC:11:00:02".parse().unwrap(),
            mac_source: MacSource::Factory,
            model: String::new(),
            firmware: String::new(),
            factory_secret: None,
        };
        let board = Board::new(&identity, &config, NOW);
        let sessions = Sessions::of_program(board.clone(), program.into());
        (folder, board, sessions)
    }

    fn grant() -> Grant {
        let random = Random::seeded(1);
        Grant {
            session: SessionId::make(NOW, &random),
            device: DeviceId::make(NOW, &random),
            epoch: 1,
            technician: Technician {
                user: UserId::make(NOW, &random),
                name: "Marc Petit".into(),
                organisation: OrganisationId::make(NOW, &random),
                organisation_name: "Petit Alarmes".into(),
            },
            key_thumbprint: String::new(),
            services: Vec::new(),
            networks: Vec::new(),
            from: NOW,
            until: NOW,
            lifetime_s: 60,
            idle_s: 60,
            consent: Consent::Ask,
            reason: None,
        }
    }

    fn ended(session: SessionId, reason: EndReason, bytes_up: u64) -> SessionNews {
        SessionNews::Happened(Happening::SessionEnded { session, reason, bytes_up, bytes_down: 0 })
    }

    #[tokio::test]
    async fn a_process_that_dies_without_a_word_has_its_end_told() {
        let (_folder, board, mut sessions) = of_script("exit 1");
        let grant = grant();
        sessions.open(&grant, b"{}".to_vec()).unwrap();
        sessions.open(&grant, b"{}".to_vec()).unwrap();
        assert_eq!((sessions.len(), board.status().sessions.len()), (1, 1), "the same session twice is one");
        assert_eq!(sessions.next().await, ended(grant.session, EndReason::RelayLost, 0));
        assert!(sessions.is_empty() && board.status().sessions.is_empty());
    }

    #[tokio::test]
    async fn what_a_process_says_is_passed_on_and_its_own_end_is_not_told_twice() {
        let grant = grant();
        let said = serde_json::to_string(&Happening::SessionEnded {
            session: grant.session,
            reason: EndReason::Device,
            bytes_up: 7,
            bytes_down: 0,
        });
        let (_folder, _board, mut sessions) =
            of_script(&format!("read -r stop\n[ \"$stop\" = '{{\"stop\":\"device\"}}' ] && echo '{}'", said.unwrap()));
        sessions.open(&grant, b"{}".to_vec()).unwrap();
        sessions.stop(grant.session, EndReason::Device);
        assert_eq!(sessions.next().await, ended(grant.session, EndReason::Device, 7));
        assert_eq!(sessions.next().await, SessionNews::Gone);
        assert!(sessions.is_empty());
    }

    #[tokio::test]
    async fn a_process_that_says_more_than_is_taken_waits_and_nothing_is_lost() {
        const MANY: usize = 5000;
        let grant = grant();
        let flow = serde_json::to_string(&Happening::FlowOpened {
            session: grant.session,
            flow: FlowId::make(NOW, &Random::seeded(2)),
            target: "tcp 192.168.1.50:80".into(),
            outcome: FlowOutcome::Opened,
        });
        let script = format!(
            "i=0; while [ $i -lt {MANY} ]; do echo '{}'; i=$((i+1)); echo $i > \"${{0%program}}said\"; done",
            flow.unwrap()
        );
        let (folder, _board, mut sessions) = of_script(&script);
        let said = || std::fs::read_to_string(folder.path().join("said")).ok()?.trim().parse::<usize>().ok();
        sessions.open(&grant, b"{}".to_vec()).unwrap();
        // What a pipe and the room here hold, and no more, while nobody takes anything.
        let held = (64 << 10) / 150 + ROOM + 2;
        let (mut last, mut still) = (None, 0);
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while still < 20 {
            let now = said();
            assert!(now.is_none_or(|now| now <= held), "{now:?} were said that nobody has taken");
            still = if now.is_some() && now == last { still + 1 } else { 0 };
            last = now;
            looks.tick().await;
        }
        for taken in 0..MANY {
            assert!(matches!(sessions.next().await, SessionNews::Happened(Happening::FlowOpened { .. })), "{taken}");
            let ahead = said().map_or(0, |said| said.saturating_sub(taken + 1));
            assert!(ahead <= held, "{ahead} were said that nobody has taken");
        }
        assert_eq!(sessions.next().await, ended(grant.session, EndReason::RelayLost, 0));
    }

    #[tokio::test]
    async fn the_rule_ends_what_it_does_not_allow_any_more() {
        let ends_on_stop = "read -r stop && exit 0";
        for (opened_under, rule, ends) in [
            (Consent::Always, Consent::Always, false),
            (Consent::Always, Consent::Ask, true),
            (Consent::Always, Consent::Never, true),
            (Consent::Ask, Consent::Always, false),
            (Consent::Ask, Consent::Ask, false),
            (Consent::Ask, Consent::Never, true),
        ] {
            let (_folder, _board, mut sessions) = of_script(ends_on_stop);
            let grant = Grant { consent: opened_under, ..grant() };
            sessions.open(&grant, b"{}".to_vec()).unwrap();
            sessions.keep_to(rule);
            let reason = if ends { EndReason::Revoked } else { EndReason::Device };
            sessions.stop_all(EndReason::Device);
            assert_eq!(sessions.next().await, ended(grant.session, reason, 0), "{opened_under:?}, then {rule:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_does_not_stop_is_killed() {
        let (_folder, _board, mut sessions) = of_script("trap '' TERM; exec tail -f /dev/null");
        let grant = grant();
        sessions.open(&grant, b"{}".to_vec()).unwrap();
        sessions.stop_all(EndReason::Revoked);
        assert_eq!(sessions.next().await, ended(grant.session, EndReason::Revoked, 0));
    }
}
