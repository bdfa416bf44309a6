//! A terminal of the device in this computer's own: bytes both ways untouched, the window's size, the program's end.
//! Decides nothing; who may, and that it is recorded, is the device's word.

mod escape;
mod tty;

use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use gatelodge_proto::session::{
    Arrival, FrameError, Stream,
    driver::OpenFailure,
    inner_frame::{Class, Command, Open, ResetCode, Target},
    terminal::{Exit, TerminalFrame},
};
use tokio::{
    io::AsyncWriteExt as _,
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc},
};

pub use self::escape::WAY_OUT;
use self::{escape::Escape, tty::Raw};
use crate::forward::Flows;

/// What is typed and not sent yet: so many pieces,
const TYPED: usize = 4;
/// of so many bytes at most.
const PIECE: usize = 8 * 1024;

/// How a terminal ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// The program there ended.
    Exited(Exit),
    /// The person here left it.
    Away,
}

/// There is no terminal, or no more.
#[derive(Debug, thiserror::Error)]
pub enum NoTerminal {
    /// The device says so, in a sentence.
    #[error("{0}")]
    Refused(String),
    /// The device says so by a code, or the session is over.
    #[error(transparent)]
    Open(#[from] OpenFailure),
    /// This computer's terminal.
    #[error("this terminal cannot be used: {0}")]
    Tty(#[from] std::io::Error),
    /// The device speaks another language.
    #[error("the device does not speak as agreed: {0}")]
    Spoken(#[from] FrameError),
    /// The session is over.
    #[error("the session is over")]
    Over,
}

impl From<ResetCode> for NoTerminal {
    fn from(_: ResetCode) -> Self {
        Self::Over
    }
}

/// Opens a terminal and shows it here until the program there ends or the person here leaves.
pub async fn show(flows: &Flows, command: Option<Command>) -> Result<Left, NoTerminal> {
    let term = tty::kind(std::env::var("TERM").ok().as_deref()).ok_or(NoTerminal::Over)?;
    let target = Target::Terminal { size: tty::size(), term, command };
    let open = Open { flow: flows.id(), target, class: Class::Interactive, credit: 0 };
    let stream = flows.handle.open(open).await?;
    let _raw = Raw::begin()?;
    let turn = Mutex::new(());
    tokio::select! {
        ended = shown(&stream) => ended.map(Left::Exited),
        ended = typed(&stream, &turn) => ended.map(|()| Left::Away),
        ended = sized(&stream, &turn) => Err(ended),
    }
}

/// What the program there writes, to its end.
async fn shown(stream: &Stream) -> Result<Exit, NoTerminal> {
    let (mut buffer, mut out) = (BytesMut::new(), tokio::io::stdout());
    loop {
        let Arrival::Data(bytes) = stream.next().await? else { return Err(NoTerminal::Over) };
        buffer.extend_from_slice(&bytes);
        while let Some(frame) = TerminalFrame::take(&mut buffer)? {
            match frame {
                TerminalFrame::Data(written) => {
                    out.write_all(&written).await?;
                    out.flush().await?;
                }
                TerminalFrame::Exited(exit) => return Ok(exit),
                TerminalFrame::Refused(sentence) => return Err(NoTerminal::Refused(sentence)),
                TerminalFrame::Resize(_) => return Err(FrameError::Field("word of a device").into()),
            }
        }
        stream.consumed(bytes.len()).await?;
    }
}

/// What is typed here, until somebody leaves. Its end is told, and is not the end.
async fn typed(stream: &Stream, turn: &Mutex<()>) -> Result<(), NoTerminal> {
    let (mut keys, mut escape) = (keyboard(), Escape::default());
    while let Some(piece) = keys.recv().await {
        let typed = escape.take(&piece);
        if !typed.bytes.is_empty() {
            send(stream, turn, TerminalFrame::Data(typed.bytes.into()).encode()).await?;
        }
        if typed.leave {
            return Ok(());
        }
    }
    stream.finish().await?;
    std::future::pending().await
}

/// Standard input, on a thread of its own that ends with the program: a read of a terminal cannot be cancelled.
fn keyboard() -> mpsc::Receiver<Vec<u8>> {
    let (say, heard) = mpsc::channel(TYPED);
    std::thread::spawn(move || {
        let (mut input, mut buffer) = (std::io::stdin().lock(), vec![0; PIECE]);
        while let Ok(read @ 1..) = input.read(&mut buffer) {
            if say.blocking_send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    heard
}

async fn sized(stream: &Stream, turn: &Mutex<()>) -> NoTerminal {
    let mut changes = match signal(SignalKind::window_change()) {
        Ok(changes) => changes,
        Err(error) => return error.into(),
    };
    loop {
        changes.recv().await;
        if let Err(code) = send(stream, turn, TerminalFrame::Resize(tty::size()).encode()).await {
            return code.into();
        }
    }
}

/// A frame goes whole, whatever another one waits for: a slow way takes it in several pieces.
async fn send(stream: &Stream, turn: &Mutex<()>, mut bytes: Bytes) -> Result<(), ResetCode> {
    let _turn = turn.lock().await;
    while !bytes.is_empty() {
        let room = stream.room().await?;
        stream.send(bytes.split_to(room.min(bytes.len()))).await?;
    }
    Ok(())
}
