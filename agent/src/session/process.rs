//! `gatelodge-agent session`: [`run`] between standard input and output, on its own single-thread runtime.

use std::{io, process::ExitCode};

use gatelodge_proto::{
    Random,
    payload::{EndReason, Happening},
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{Control, Start, run};
use crate::clock::Clock;

/// The session process cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SessionProcessError {
    /// No runtime, or no signal handler.
    #[error("the session process cannot start: {0}")]
    Start(#[source] io::Error),
    /// The first line is no order.
    #[error("the first line of input is no session order: {0}; this verb is for gatelodge-agent's own use")]
    Order(String),
    /// What happened could not be told.
    #[error("the session's events could not be written: {0}")]
    Events(#[source] io::Error),
}

/// Reads an order from standard input and carries it out.
pub fn main() -> Result<ExitCode, SessionProcessError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SessionProcessError::Start)?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(SessionProcessError::Start)?;
        let terminated = async move {
            terminate.recv().await;
        };
        let clock = Clock::corrected_by(0);
        Box::pin(serve(BufReader::new(tokio::io::stdin()), tokio::io::stdout(), terminated, &clock)).await
    });
    // A read of standard input cannot be cancelled and must not hold the process.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// The process without the process: from the first line of `input` to the last event on `output`.
pub async fn serve(
    mut input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    terminated: impl Future<Output = ()>,
    clock: &Clock,
) -> Result<(), SessionProcessError> {
    let mut line = String::new();
    input.read_line(&mut line).await.map_err(|error| SessionProcessError::Order(error.to_string()))?;
    let start: Start = serde_json::from_str(&line).map_err(|error| SessionProcessError::Order(error.to_string()))?;

    let (stop, stops) = mpsc::channel(4);
    // No more than one on its way to the output: a target is opened when its row has left, not when it is in a queue.
    let (events, happened) = mpsc::channel(1);
    clock.correct(start.clock_lacks_us);
    let session = run(start, clock.now(), Random::system(), stops, events);
    let listen = async {
        let reason = tokio::select! {
            reason = stop_line(&mut input) => reason,
            () = terminated => EndReason::Device,
        };
        let _ = stop.send(reason).await;
        std::future::pending::<()>().await;
    };
    let (ending, told) = tokio::select! {
        both = async { tokio::join!(session, write_events(&mut output, happened)) } => both,
        () = listen => return Ok(()),
    };
    tracing::debug!(reason = ending.reason.word(), "the session process is done");
    told.map_err(SessionProcessError::Events)
}

/// Waits for the line that stops the session. The end of the input stops it too.
async fn stop_line(input: &mut (impl AsyncBufRead + Unpin)) -> EndReason {
    let mut line = String::new();
    loop {
        line.clear();
        match input.read_line(&mut line).await {
            Ok(0) | Err(_) => return EndReason::Device,
            Ok(_) => match serde_json::from_str(&line) {
                Ok(Control::Stop(reason)) => return reason,
                Err(error) => tracing::warn!(%error, "a control line is not understood"),
            },
        }
    }
}

/// When the output breaks, the channel closes behind it, and the session ends because it cannot tell what it does.
async fn write_events(
    output: &mut (impl AsyncWrite + Unpin),
    mut happened: mpsc::Receiver<Happening>,
) -> io::Result<()> {
    while let Some(what) = happened.recv().await {
        let mut line = gatelodge_proto::payload::encode(&what);
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_first_line_that_is_no_order_is_refused_and_nothing_is_said() {
        for input in ["", "hello\n", "{\"order\":1}\n"] {
            let mut output = Vec::new();
            let clock = Clock::system();
            let refused = Box::pin(serve(input.as_bytes(), &mut output, std::future::pending(), &clock)).await;
            assert!(matches!(refused, Err(SessionProcessError::Order(_))), "{input:?}");
            assert!(output.is_empty());
        }
    }

    #[tokio::test]
    async fn a_stop_line_is_found_among_others_and_the_end_of_input_is_a_stop() {
        let stop = async |mut input: &[u8]| stop_line(&mut input).await;
        assert_eq!(stop(b"{\"stop\":\"customer\"}\n").await, EndReason::Customer);
        assert_eq!(stop(b"noise\n{\"stop\":\"revoked\"}\n").await, EndReason::Revoked);
        assert_eq!(stop(b"").await, EndReason::Device);
    }
}
