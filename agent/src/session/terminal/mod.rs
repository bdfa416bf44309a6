//! Terminals of a session: a program of a user with few rights, in a window of the technician's size, recorded before
//! anybody sees it. No recording, no terminal. Decides nothing about who may: that is the grant's and the settings' word.

mod asciicast;
mod become_user;
mod processes;
mod pty;
mod record;
mod seal;
mod user;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    FlowId, SessionId, Timestamp,
    grant::Grant,
    payload::FlowOutcome,
    recording::PublicKey,
    session::{
        Arrival, FlowTotals, FrameError, Stream,
        inner_frame::{Command, ResetCode, Size, TerminalType},
        terminal::{Exit, HEADER, MAX_BODY, TerminalFrame},
    },
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Child;

pub use self::{
    become_user::{InTerminal, NotRun},
    record::Room,
};
use self::{
    pty::{Program, Pty},
    record::{About, Recorder, Unrecorded},
    user::{NoUser, Own, User},
};

/// Terminals that one session may have at once.
const AT_ONCE: usize = 4;
/// How often the disk is told to keep what was recorded.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// What a program wrote last is waited for so long after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// End of transmission (Ctrl-D): nothing more will be typed.
const END_OF_INPUT: &[u8] = &[4];

/// What the device's own settings say about terminals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTerminal {
    /// Whose programs run.
    pub user: Option<String>,
    /// Instead of that user's shell.
    pub shell: Option<PathBuf>,
    /// What runs in every terminal, whatever is asked for.
    pub command: Vec<String>,
    /// Whether what is typed is recorded, too.
    pub record_input: bool,
    /// How large recordings get.
    pub room: Room,
    /// Where they wait for the cloud.
    pub folder: PathBuf,
}

/// There is no terminal, or no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTerminal {
    #[error("this session has no terminal: the device's settings or the grant do not allow one")]
    NotAllowed,
    #[error("this session has {AT_ONCE} terminals open, and no more at once; close one")]
    Limit,
    #[error(
        "nobody could read this session's recordings, so it has no terminal; set a recording passphrase in the portal"
    )]
    Unread,
    #[error(transparent)]
    User(#[from] NoUser),
    #[error("this device runs one program in every terminal (terminal.command) and takes no other; ask for none")]
    Command,
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    #[error("this device cannot run the terminal: {0}")]
    System(#[from] std::io::Error),
    #[error("the technician's program does not speak as agreed: {0}")]
    Spoken(#[from] FrameError),
    #[error("the technician is gone")]
    Gone,
}

impl From<ResetCode> for NoTerminal {
    fn from(_: ResetCode) -> Self {
        Self::Gone
    }
}

impl NoTerminal {
    /// For both audit lists.
    pub(super) const fn outcome(&self) -> FlowOutcome {
        match self {
            Self::NotAllowed => FlowOutcome::NotAllowed,
            Self::Limit => FlowOutcome::Limit,
            Self::Unread
            | Self::User(_)
            | Self::Command
            | Self::Unrecorded(_)
            | Self::System(_)
            | Self::Spoken(_)
            | Self::Gone => FlowOutcome::Refused,
        }
    }
}

/// What the technician wants.
pub(super) struct Wanted {
    pub(super) flow: FlowId,
    pub(super) size: Size,
    pub(super) term: TerminalType,
    pub(super) command: Option<Command>,
}

/// All terminals of a session.
pub(super) struct Terminals {
    own: Option<OwnTerminal>,
    /// What the cloud takes the recordings for.
    credential: Option<String>,
    session: SessionId,
    recipients: Vec<PublicKey>,
    open: Arc<AtomicUsize>,
}

impl Terminals {
    /// Of a session with this grant; none where the grant or the settings have none.
    pub(super) fn new(own: Option<OwnTerminal>, allowed: bool, grant: &Grant, credential: Option<String>) -> Self {
        let recipients = grant.recording.iter().map(|recipient| recipient.key.clone()).collect();
        let own = own.filter(|_| allowed);
        Self { own, credential, session: grant.session, recipients, open: Arc::default() }
    }

    /// Everything but the program itself: who runs it, and where it is recorded.
    pub(super) fn prepare(&self, wanted: Wanted, now: Timestamp) -> Result<Prepared<'_>, NoTerminal> {
        let own = self.own.as_ref().ok_or(NoTerminal::NotAllowed)?;
        let credential = self.credential.clone().ok_or(NoTerminal::Unread)?;
        if self.recipients.is_empty() {
            return Err(NoTerminal::Unread);
        }
        let place = Place::take(&self.open).ok_or(NoTerminal::Limit)?;
        if wanted.command.is_some() && !own.command.is_empty() {
            return Err(NoTerminal::Command);
        }
        let user = user::find(Path::new("/"), own.user.as_deref(), own.shell.as_deref(), Own::of_process())?;
        let about = About {
            session: self.session,
            recording: wanted.flow,
            recipients: &self.recipients,
            began: now,
            size: wanted.size,
            term: &wanted.term,
            credential,
        };
        let recorder = Recorder::begin(&own.folder, own.room, own.record_input, &about)?;
        Ok(Prepared { own, user, recorder, wanted, _place: place })
    }
}

/// One of the terminals that a session may have at once.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(open.clone());
        (open.fetch_add(1, Ordering::Relaxed) < AT_ONCE).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A terminal in which nothing runs yet.
pub(super) struct Prepared<'a> {
    own: &'a OwnTerminal,
    user: User,
    recorder: Recorder,
    wanted: Wanted,
    _place: Place,
}

impl Prepared<'_> {
    /// For both audit lists. What is run is in the recording and not here: the cloud reads this.
    pub(super) fn spelled(&self) -> String {
        format!("terminal as {}", self.user.name)
    }

    /// Runs the program to its end, to the technician's, or to that of the recording, whichever comes first. Nothing of
    /// it goes on after that.
    pub(super) async fn run(self, stream: &Stream) -> FlowTotals {
        let Self { own, user, recorder, wanted: Wanted { size, term, command, .. }, _place } = self;
        let program = Program { user: &user, always: &own.command, line: command.as_ref(), term: &term, size };
        let run = Run {
            stream,
            recorder: Mutex::new(recorder),
            shown: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        let ended = match pty::start(Path::new("/proc/self/exe"), &program) {
            Ok((pty, mut child)) => run.to_its_end(&pty, &mut child).await,
            Err(error) => Err(error.into()),
        };
        let (how, last) = match &ended {
            Ok(exit) => (format!("exit status {}", exit.status()), Some(TerminalFrame::Exited(*exit))),
            Err(NoTerminal::Gone) => ("the session or the technician ended it".to_owned(), None),
            Err(error) => (error.to_string(), Some(TerminalFrame::Refused(error.to_string()))),
        };
        let Run { recorder, sent, received, .. } = run;
        let mut recorder = recorder.into_inner().unwrap_or_else(PoisonError::into_inner);
        let marked = recorder.ended(&how);
        if let Err(error) = marked.and_then(|()| recorder.finish()) {
            tracing::warn!(%error, "a recording ends without its last words");
        }
        if let Err(error) = &ended {
            tracing::info!(%error, "a terminal has ended");
        }
        match last {
            Some(last) => say(stream, &last).await,
            None => stream.reset(ResetCode::Cancelled),
        }
        FlowTotals { sent: sent.into_inner(), received: received.into_inner() }
    }
}

/// The device's last word on a stream.
pub(super) async fn say(stream: &Stream, last: &TerminalFrame) {
    let said = async {
        send(stream, last.encode()).await?;
        stream.finish().await?;
        // A stream that is dropped before its other end has read it would take its word back.
        while let Ok(Arrival::Data(bytes)) = stream.next().await {
            stream.consumed(bytes.len()).await?;
        }
        Ok(())
    };
    let said: Result<Result<(), ResetCode>, _> = tokio::time::timeout(LAST_WORDS, said).await;
    if let Ok(Err(_)) | Err(_) = said {
        stream.reset(ResetCode::Cancelled);
    }
}

async fn send(stream: &Stream, mut bytes: Bytes) -> Result<(), ResetCode> {
    while !bytes.is_empty() {
        let room = stream.room().await?;
        stream.send(bytes.split_to(room.min(bytes.len()))).await?;
    }
    Ok(())
}

/// A terminal in which a program runs.
struct Run<'a> {
    stream: &'a Stream,
    recorder: Mutex<Recorder>,
    /// Nothing more will be written in the terminal.
    shown: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Run<'_> {
    async fn to_its_end(&self, pty: &Pty, child: &mut Child) -> Result<Exit, NoTerminal> {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let mut shown = std::pin::pin!(self.show(pty));
        let ended = tokio::select! {
            ended = child.wait() => ended.map(pty::exit).map_err(NoTerminal::from),
            Err(error) = &mut shown => Err(error),
            Err(error) = self.take(pty) => Err(error),
            Err(error) = self.keep() => Err(error),
            _ = self.stream.broken() => Err(NoTerminal::Gone),
        };
        // What it wrote last is still on its way, and only comes to an end when nobody has the terminal any more.
        let rest = async {
            if ended.is_ok() && !self.shown.load(Ordering::Relaxed) {
                let _ = tokio::time::timeout(LAST_WORDS, &mut shown).await;
            }
        };
        tokio::join!(processes::end(leader, child), rest);
        ended
    }

    /// From the program to the technician, by way of the recording; no faster than the technician reads.
    async fn show(&self, pty: &Pty) -> Result<(), NoTerminal> {
        let mut buffer = vec![0; MAX_BODY];
        loop {
            let room = self.stream.room().await?.saturating_sub(HEADER).clamp(1, MAX_BODY);
            let read = pty.read(&mut buffer[..room]).await?;
            if read == 0 {
                // The last of the terminal's ends is closed; the program may go on without.
                self.shown.store(true, Ordering::Relaxed);
                return Ok(());
            }
            self.recorder().output(&buffer[..read])?;
            send(self.stream, TerminalFrame::Data(Bytes::copy_from_slice(&buffer[..read])).encode()).await?;
            self.sent.fetch_add(read as u64, Ordering::Relaxed);
        }
    }

    /// From the technician to the program, no faster than it reads.
    async fn take(&self, pty: &Pty) -> Result<(), NoTerminal> {
        let mut buffer = BytesMut::new();
        loop {
            let Arrival::Data(bytes) = self.stream.next().await? else {
                pty.write(END_OF_INPUT).await?;
                return Ok(());
            };
            buffer.extend_from_slice(&bytes);
            while let Some(frame) = TerminalFrame::take(&mut buffer)? {
                match frame {
                    TerminalFrame::Data(typed) => {
                        self.recorder().input(&typed)?;
                        pty.write(&typed).await?;
                        self.received.fetch_add(typed.len() as u64, Ordering::Relaxed);
                    }
                    TerminalFrame::Resize(size) => {
                        self.recorder().resize(size)?;
                        pty.resize(size)?;
                    }
                    TerminalFrame::Exited(_) | TerminalFrame::Refused(_) => {
                        return Err(FrameError::Field("word of a technician").into());
                    }
                }
            }
            self.stream.consumed(bytes.len()).await?;
        }
    }

    async fn keep(&self) -> Result<(), NoTerminal> {
        loop {
            tokio::time::sleep(KEEP_EVERY).await;
            self.recorder().keep()?;
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
