//! Following one session's process to its end, by its socket.

use std::{
    io::{self, Read as _},
    os::unix::net,
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_proto::{
    SessionId,
    payload::{self, EndReason, Happening},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    process::Child,
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use crate::session::{Card, Control, READY, Word};

/// A process that was asked to end and has not ended by then is killed.
const GRACE: Duration = Duration::from_secs(3);
/// A process opens its socket within this.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A process that is there says so within this.
const CARD_WITHIN: Duration = Duration::from_secs(1);
/// No card is longer.
const LONGEST_CARD: usize = 16 * 1024;

#[derive(Debug)]
pub(super) enum Said {
    Happened {
        session: SessionId,
        number: u64,
        what: Happening,
    },
    /// The process is gone; with what to tell when it went without a word.
    Gone {
        session: SessionId,
        unsaid: Vec<Happening>,
    },
}

/// The sessions that are live in this folder. Sockets that nobody listens to are removed; a process that does not say
/// what it is could not be stopped by anybody and is killed.
pub(super) fn found(folder: &Path) -> io::Result<Vec<(Card, UnixStream)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let socket = entry?.path();
        let Ok(stream) = net::UnixStream::connect(&socket) else {
            tracing::debug!(socket = %socket.display(), "nobody is at a session's socket any more");
            std::fs::remove_file(&socket)?;
            continue;
        };
        match introduced(&stream) {
            Ok(card) => {
                stream.set_nonblocking(true)?;
                found.push((card, UnixStream::from_std(stream)?));
            }
            Err(error) => {
                tracing::warn!(%error, "a session does not say which it is, and is killed");
                let process = rustix::net::sockopt::socket_peercred(&stream)?.pid;
                let _ = kill_process(process, Signal::KILL);
                std::fs::remove_file(&socket)?;
            }
        }
    }
    Ok(found)
}

fn introduced(mut stream: &net::UnixStream) -> io::Result<Card> {
    stream.set_read_timeout(Some(CARD_WITHIN))?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    // By the byte: what follows the line is read by whoever watches.
    while line.len() < LONGEST_CARD {
        stream.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        line.extend(byte);
    }
    match serde_json::from_slice(&line)? {
        Word::Card(card) => Ok(card),
        Word::Happened { .. } => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// From the start of a process to its end.
pub(super) async fn begin(
    session: SessionId,
    mut child: Child,
    order: Vec<u8>,
    socket: PathBuf,
    controls: mpsc::UnboundedReceiver<Control>,
    say: mpsc::Sender<Said>,
) {
    if let Ok(Ok(stream)) = timeout(READY_WITHIN, ready(&mut child, order, &socket)).await {
        tokio::spawn(async move { child.wait().await });
        watch(session, stream, controls, say).await;
    } else {
        tracing::warn!(%session, "the session's process did not open its socket");
        let _ = child.kill().await;
        gone(session, Some(Unsaid::Unbegun), &say).await;
    }
}

async fn ready(child: &mut Child, mut order: Vec<u8>, socket: &Path) -> io::Result<UnixStream> {
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("its pipes are missing"));
    };
    order.push(b'\n');
    input.write_all(&order).await?;
    let mut word = [0; READY.len()];
    output.read_exact(&mut word).await?;
    UnixStream::connect(socket).await
}

/// Passes on what a process says and is told, until it is gone.
pub(super) async fn watch(
    session: SessionId,
    stream: UnixStream,
    mut controls: mpsc::UnboundedReceiver<Control>,
    say: mpsc::Sender<Said>,
) {
    let process = stream.peer_cred().ok().and_then(|who| who.pid()).and_then(Pid::from_raw);
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut unsaid = Some(Unsaid::CutShort(EndReason::RelayLost));
    let (mut stopped, mut kill_at, mut heard) = (false, None, None);
    loop {
        tokio::select! {
            room = say.reserve(), if heard.is_some() => match (room, heard.take()) {
                (Ok(room), Some((number, what))) => room.send(Said::Happened { session, number, what }),
                (Ok(_), None) | (Err(_), _) => {}
            },
            line = lines.next_line(), if heard.is_none() => match line {
                Ok(Some(line)) => {
                    heard = read_line(&line);
                    if let Some((_, Happening::SessionEnded { .. })) = heard {
                        unsaid = None;
                    }
                }
                Ok(None) | Err(_) => break,
            },
            // Not after the agent: its sessions go on without it.
            Some(control) = controls.recv() => {
                if let Control::Stop(reason) = control {
                    // The first reason is the one.
                    if std::mem::replace(&mut stopped, true) {
                        continue;
                    }
                    unsaid = unsaid.map(|_| Unsaid::CutShort(reason));
                    kill_at = Some(Instant::now() + GRACE);
                }
                let _ = writer.write_all(&line(&control)).await;
            }
            () = at(kill_at) => {
                kill_at = None;
                // Its socket is open, so it is still this process.
                if let Some(process) = process {
                    let _ = kill_process(process, Signal::KILL);
                }
            }
        }
    }
    gone(session, unsaid, &say).await;
}

/// What a process has not said itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    /// It never came to anything.
    Unbegun,
    /// It died before its last word, and what it did last may be lost with it.
    CutShort(EndReason),
}

async fn gone(session: SessionId, unsaid: Option<Unsaid>, say: &mpsc::Sender<Said>) {
    let ended = |reason| Happening::SessionEnded { session, reason, bytes_up: 0, bytes_down: 0 };
    let unsaid = match unsaid {
        None => Vec::new(),
        Some(Unsaid::Unbegun) => vec![ended(EndReason::RelayLost)],
        Some(Unsaid::CutShort(reason)) => vec![Happening::RecordCutShort { session }, ended(reason)],
    };
    let _ = say.send(Said::Gone { session, unsaid }).await;
}

fn line(control: &Control) -> Vec<u8> {
    let mut line = payload::encode(control);
    line.push(b'\n');
    line
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn read_line(line: &str) -> Option<(u64, Happening)> {
    match serde_json::from_str(line) {
        Ok(Word::Happened { number, what }) => Some((number, what)),
        Ok(Word::Card(_)) => None,
        Err(error) => {
            tracing::warn!(%error, "session said something unreadable");
            None
        }
    }
}
