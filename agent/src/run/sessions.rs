//! Live sessions: one `gatelodge-agent session` process each, so that nothing a session does can take the agent down and
//! nothing the agent does cuts a session. Each is reached by a socket in the state folder; an agent that starts finds
//! there what an earlier one left. What a process says goes to the cloud; the end of a process is the end of its session.

mod gather;
mod watch;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use gatelodge_proto::{
    SessionId, Timestamp,
    consent::{ConsentKind, Proof},
    grant::{Grant, SignedGrant},
    payload::{self, Consent, EndReason, FlowOutcome, Happening, KeptEnd, NotLonger, Outcome, SessionOrder},
};
use tokio::{process::Command, sync::mpsc};

use self::{
    gather::gather,
    watch::{Said, begin, found, watch},
};
use super::{RunError, connected::Connected};
use crate::{
    cloud::proxy_to,
    session::{Card, Control, Limits, Newer, Places, Start, signed},
    status::{Board, LiveSession},
};

/// News that wait to be taken, from all sessions together. What finds no room waits in its process, and so do the targets
/// that it would tell of.
const ROOM: usize = 128;
/// Where the sockets are, in the state folder.
const FOLDER: &str = "sessions";

/// What the sessions have to tell: everything that came while the news before were written down.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SessionNews {
    /// For the cloud, in as few messages as it takes.
    pub(super) happened: Vec<Happening>,
    /// To be given to [`Sessions::taken`] once it is on disk.
    pub(super) receipts: Vec<Receipt>,
}

/// Which word of which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    session: SessionId,
    number: u64,
}

/// All live sessions.
pub(super) struct Sessions {
    board: Board,
    program: OsString,
    folder: PathBuf,
    live: BTreeMap<SessionId, Live>,
    said: mpsc::Receiver<Said>,
    say: mpsc::Sender<Said>,
}

struct Live {
    controls: mpsc::UnboundedSender<Control>,
    /// The rule under which it was opened.
    consent: Consent,
    /// On whose consent it stands.
    kind: ConsentKind,
    /// When it ends, as far as its process has said.
    until: Timestamp,
}

/// Targets of one session that are shown at the device, the latest.
const OPENED: usize = 20;

impl Connected<'_> {
    /// Starts the process for a session, if its grant is good here: nobody has to wait for a refusal then.
    pub(super) fn open_session(&mut self, order: SessionOrder) -> Result<Outcome, RunError> {
        if !self.agent.config.cloud.is_relay(&order.relay) {
            let reason =
                "the order names a relay that is neither cloud.url nor cloud.relay_url of the device's settings";
            return Ok(Outcome::Refused { reason: reason.into(), end: Some(EndReason::Refused) });
        }
        let proxy = match proxy_to(&self.agent.config.cloud, &order.relay) {
            Ok(proxy) => proxy,
            Err(error) => return Ok(Outcome::Failed { reason: error.to_string() }),
        };
        let start = Start {
            // As it stands before this session uses it up.
            gate: self.agent.keeper.gate(&order.grant),
            page: Some(self.agent.page),
            order,
            proxy,
            key: self.key.clone(),
            credentials: self.credentials.clone(),
            epoch: self.epoch(),
            services: self.agent.config.offered(),
            networks: self.agent.config.networks.clone(),
            listens: self.agent.config.listens.clone(),
            features: self.agent.config.features(),
            terminal: self.agent.config.terminal.own(self.agent.state.path()),
            places: Places::of(&self.agent.config),
            folders: self.agent.config.folders.clone(),
            looks: self.agent.config.looks(),
            limits: Limits {
                streams: self.agent.config.remote_access.streams.get(),
                opens_per_second: self.agent.config.remote_access.opens_per_second.get(),
                rate: self.agent.config.remote_access.rate,
                longest_s: self.agent.config.remote_access.max_minutes.get().saturating_mul(60),
            },
            ca_file: self.agent.config.cloud.ca_file.clone(),
            clock_lacks_us: self.agent.clock.correction(),
        };
        let grant = match start.grant(self.agent.clock.now()) {
            Ok(grant) => grant,
            Err(denied) => return Ok(Outcome::Refused { reason: denied.to_string(), end: Some(denied.end()) }),
        };
        if self.sessions.live.contains_key(&grant.session) {
            return Ok(Outcome::Done);
        }
        let kind = match self.begin_by_consent(&start.order.grant, &grant, start.order.proof.as_deref())? {
            Ok(kind) => kind,
            Err(why) => {
                return Ok(Outcome::Refused { reason: why.to_string(), end: Some(EndReason::DeviceProof) });
            }
        };
        Ok(match self.sessions.open(&grant, kind, payload::encode(&start)) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed { reason: format!("the session process does not start: {error}") },
        })
    }
}

impl Connected<'_> {
    /// Hands a newer grant to its session, which judges it. What becomes of it is told as an event.
    pub(super) fn extend_session(
        &mut self,
        grant: SignedGrant,
        proof: Option<Box<Proof>>,
    ) -> Result<Outcome, RunError> {
        let read = match signed(&grant, &self.credentials.grant_key) {
            Ok(read) => read,
            Err(denied) => return Ok(Outcome::Refused { reason: denied.to_string(), end: None }),
        };
        if !self.sessions.live.contains_key(&read.session) {
            self.not_longer(&grant, NotLonger::NotOpen)?;
            return Ok(Outcome::Refused { reason: "the session is not open here".into(), end: None });
        }
        if let Err(why) = self.longer_by_consent(&grant, &read, proof.as_deref()) {
            self.not_longer(&grant, NotLonger::Proof)?;
            return Ok(Outcome::Refused { reason: why.to_string(), end: None });
        }
        self.consent_gone(read.session)?;
        let gate = self.agent.keeper.gate(&grant);
        self.sessions.extend(read.session, Newer { grant, proof, gate });
        Ok(Outcome::Done)
    }

    /// Tells that a session lasts no longer, in its own name: its process has not been asked. Nothing is told of a grant
    /// that the vendor's cloud has not signed.
    pub(super) fn not_longer(&mut self, grant: &SignedGrant, reason: NotLonger) -> Result<(), RunError> {
        let Ok(Grant { session, until: granted, .. }) = signed(grant, &self.credentials.grant_key) else {
            return Ok(());
        };
        let end = self.sessions.live.get(&session).map(|live| KeptEnd { granted, until: live.until });
        self.happened(Happening::ExtensionRefused { session, end, reason })
    }
}

impl Sessions {
    /// Those that are live already, left by an agent that ran here before, are taken over.
    pub(super) fn in_state(board: Board, state: &Path) -> io::Result<Self> {
        // The running program itself, also when an upgrade has replaced its file meanwhile.
        let mut sessions = Self::of_program(board, "/proc/self/exe".into(), state.join(FOLDER))?;
        for (card, stream) in found(&sessions.folder)? {
            tracing::info!(session = %card.shown.session, "a live session is taken over");
            let (session, controls) = (card.shown.session, sessions.list(card));
            tokio::spawn(watch(session, stream, controls, sessions.say.clone()));
        }
        Ok(sessions)
    }

    fn of_program(board: Board, program: OsString, folder: PathBuf) -> io::Result<Self> {
        let (say, said) = mpsc::channel(ROOM);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { board, program, folder, live: BTreeMap::new(), said, say })
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn open(&mut self, grant: &Grant, kind: ConsentKind, line: Vec<u8>) -> io::Result<()> {
        if self.live.contains_key(&grant.session) {
            return Ok(());
        }
        let socket = self.folder.join(grant.session.to_string());
        let child = Command::new(&self.program)
            .arg0("gatelodge-agent")
            .args(["session", "--socket"])
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let controls = self.list(Card::of(grant, kind));
        tokio::spawn(begin(grant.session, child, line, socket, controls, self.say.clone()));
        Ok(())
    }

    fn list(&mut self, card: Card) -> mpsc::UnboundedReceiver<Control> {
        let (controls, orders) = mpsc::unbounded_channel();
        let Card { shown, consent } = &card;
        let live = Live { controls, consent: *consent, kind: shown.consent_kind, until: shown.until };
        self.live.insert(shown.session, live);
        self.board.update(|status| status.sessions.push(card.shown));
        orders
    }

    /// Ends a session; nothing happens when it is not live.
    pub(super) fn stop(&self, session: SessionId, reason: EndReason) {
        if let Some(live) = self.live.get(&session) {
            let _ = live.controls.send(Control::Stop(reason));
        }
    }

    /// Hands a newer grant to the session that it is for; `false` when that is not live here.
    pub(super) fn extend(&self, session: SessionId, newer: Newer) -> bool {
        self.live.get(&session).is_some_and(|live| live.controls.send(Control::Extend(Box::new(newer))).is_ok())
    }

    /// Ends what stands on the cloud's word alone.
    pub(super) fn stop_unproven(&self, reason: EndReason) {
        self.stop_where(|kind| kind == ConsentKind::Cloud, reason);
    }

    /// Ends what stands on a standing rule.
    pub(super) fn stop_by_rule(&self, reason: EndReason) {
        self.stop_where(|kind| matches!(kind, ConsentKind::StandingRule | ConsentKind::BreakGlass), reason);
    }

    fn stop_where(&self, which: impl Fn(ConsentKind) -> bool, reason: EndReason) {
        for (session, _) in self.live.iter().filter(|(_, live)| which(live.kind)) {
            self.stop(*session, reason);
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

    /// What happened is on disk here: its process need not keep it any more.
    pub(super) fn taken(&self, receipt: Receipt) {
        if let Some(live) = self.live.get(&receipt.session) {
            let _ = live.controls.send(Control::Taken(receipt.number));
        }
    }

    /// What there is to tell next; empty when a session is gone that has told everything.
    pub(super) async fn next(&mut self) -> SessionNews {
        // Unreachable without a word while `self.say` lives; nothing to tell is nothing to wait for.
        let Some(first) = self.said.recv().await else { return std::future::pending().await };
        let (mut told, mut receipts) = (Vec::new(), BTreeMap::new());
        self.note(first, &mut told, &mut receipts);
        while told.len() < ROOM
            && let Ok(said) = self.said.try_recv()
        {
            self.note(said, &mut told, &mut receipts);
        }
        let receipts = receipts.into_iter().map(|(session, number)| Receipt { session, number }).collect();
        SessionNews { happened: gather(told), receipts }
    }

    fn note(&mut self, said: Said, told: &mut Vec<Happening>, receipts: &mut BTreeMap<SessionId, u64>) {
        match said {
            Said::Happened { session, number, what } => {
                if let Some((_, end)) = what.kept_end() {
                    if let Some(live) = self.live.get_mut(&session) {
                        live.until = end.until;
                    }
                    self.board.update(|status| {
                        for live in status.sessions.iter_mut().filter(|live| live.session == session) {
                            live.until = end.until;
                        }
                    });
                }
                if let Happening::FlowOpened { target, outcome: FlowOutcome::Opened, .. } = &what {
                    self.board.update(|status| show_opened(&mut status.sessions, session, target));
                }
                told.push(what);
                receipts.insert(session, number);
            }
            Said::Gone { session, unsaid } => {
                self.live.remove(&session);
                self.board.update(|status| status.sessions.retain(|live| live.session != session));
                told.extend(unsaid);
            }
        }
    }
}

/// Each target once, the latest last.
fn show_opened(sessions: &mut [LiveSession], session: SessionId, target: &str) {
    for live in sessions.iter_mut().filter(|live| live.session == session) {
        live.opened.retain(|known| known != target);
        live.opened.push(target.to_owned());
        if live.opened.len() > OPENED {
            live.opened.remove(0);
        }
    }
}

#[cfg(test)]
mod tests;
