//! `gatelodge-agent session`: [`run`] behind a socket, on its own single-thread runtime.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use gatelodge_proto::{Random, payload::EndReason, session::TURNS_BETWEEN_LOOKS};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{Start, Wish, desk::Desk, order::READY, run};
use crate::clock::Clock;

/// The session process cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SessionProcessError {
    /// No runtime, or no signal handler.
    #[error("the session process cannot start: {0}")]
    Start(#[source] io::Error),
    /// The line of input is no order.
    #[error("the line of input is no session order: {0}; this verb is for gatelodge-agent's own use")]
    Order(String),
    /// Nobody could stop the session.
    #[error("the socket {at} cannot be opened: {source}; a shorter state_dir helps where its name is too long")]
    Socket {
        /// Which.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads an order from standard input and carries it out; whoever stops it and takes in what happens comes to `socket`.
pub fn main(socket: &Path) -> Result<ExitCode, SessionProcessError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(TURNS_BETWEEN_LOOKS)
        .enable_all()
        .build()
        .map_err(SessionProcessError::Start)?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(SessionProcessError::Start)?;
        let start = order(&mut BufReader::new(tokio::io::stdin())).await?;
        let listener = listen(socket)?;
        let mut output = tokio::io::stdout();
        // Nobody reads it when the agent is gone by now; the next one finds the socket.
        let _ = output.write_all(READY).await;
        let _ = output.flush().await;
        let terminated = async move {
            terminate.recv().await;
        };
        Box::pin(serve(start, listener, terminated, &Clock::corrected_by(0))).await;
        let _ = std::fs::remove_file(socket);
        Ok(())
    });
    // A read of standard input cannot be cancelled and must not hold the process.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn order(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Start, SessionProcessError> {
    let mut line = String::new();
    input.read_line(&mut line).await.map_err(|error| SessionProcessError::Order(error.to_string()))?;
    serde_json::from_str(&line).map_err(|error| SessionProcessError::Order(error.to_string()))
}

/// A socket that only this user reaches; its folder is closed to others too.
fn listen(socket: &Path) -> Result<UnixListener, SessionProcessError> {
    let open = || {
        let listener = UnixListener::bind(socket)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    open().map_err(|source| SessionProcessError::Socket { at: socket.to_owned(), source })
}

/// Carries the order out until its last event is taken.
async fn serve(start: Start, listener: UnixListener, terminated: impl Future<Output = ()>, clock: &Clock) {
    let (wish, wishes) = mpsc::channel(4);
    // No more than one on its way to the desk: a target is opened when its row has left, not when it is in a queue.
    let (events, happened) = mpsc::channel(1);
    clock.correct(start.clock_lacks_us);
    let Some(card) = start.card(clock.now()) else {
        tracing::warn!("the order holds no grant that is good here");
        return;
    };
    let desk = Desk::new(listener, card).serve(happened, wish.clone());
    let session = run(start, clock.now(), Random::system(), wishes, events);
    let listen = async {
        terminated.await;
        let _ = wish.send(Wish::End(EndReason::Device)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        (ending, ()) = async { tokio::join!(session, desk) } => {
            tracing::debug!(reason = ending.reason.word(), "the session process is done");
        }
        () = listen => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_is_no_order_is_refused() {
        for input in ["", "hello\n", "{\"order\":1}\n"] {
            let refused = order(&mut input.as_bytes()).await;
            assert!(matches!(refused, Err(SessionProcessError::Order(_))), "{input:?}");
        }
    }

    #[tokio::test]
    async fn the_socket_is_this_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("socket");
        let _listener = listen(&at).unwrap();
        assert_eq!(std::fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(listen(&folder.path().join("x".repeat(200))).is_err());
    }
}
