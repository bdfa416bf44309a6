//! `forward`: asks for a session, waits for the customer, carries ports until somebody ends it.

use std::time::Duration;

use clap::Args;
use gatelodge_proto::{
    Random, SessionId,
    api::{DeviceView, SessionRequest, SessionState, SessionView},
    payload::EndReason,
};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    SignedIn,
    live_line::{LiveLine, Waiting},
};
use crate::{
    forward::{self, Forward, ForwardError, Listener, Session, SessionKey, bind},
    output::{Exit, Failure, Output},
    pick, sentences,
};

/// What shells know as "ended by Ctrl-C".
const INTERRUPTED: i32 = 130;

#[derive(Debug, Args)]
pub(super) struct ForwardArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// What to reach: a service, or a local port or address:port with it, like 8080:panel-web
    #[arg(required = true, value_name = "[LOCAL:]SERVICE")]
    forwards: Vec<Forward>,
    /// Why; the customer reads it, and it is kept. On a terminal it is asked for when left out
    #[arg(long)]
    reason: Option<String>,
    /// For how long at most
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=240))]
    minutes: u32,
}

pub(super) async fn forward(arguments: ForwardArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    // Everything that can fail on this computer does so before a customer is asked.
    let listeners = open_ports(device, &arguments.forwards).await?;
    let key = SessionKey::make().map_err(|error| broken(&error))?;
    let mut services: Vec<_> = arguments.forwards.into_iter().map(|forward| forward.service).collect();
    services.sort();
    services.dedup();
    let reason = match arguments.reason {
        None => output.ask(sentences::WHY).await,
        given => given,
    };
    // Not before: until here Ctrl-C ends the program, whatever it waits for.
    let interrupted = interrupted()?;
    let request = SessionRequest {
        device: device.id,
        services,
        reason,
        minutes: arguments.minutes,
        csr: key.csr().map_err(|error| broken(&error))?,
    };
    let asked = by.cloud.ask_session(&request).await?;
    let session = asked.id;
    output.value(&json!({ "event": "asked", "session": session, "state": asked.state.word() }));
    let outcome = carry(by, device, asked, key, listeners, &interrupted, output).await;
    if interrupted.is_cancelled() || outcome.is_err() {
        end_there(by, session, output).await;
    }
    let reason = outcome?;
    output.value(&json!({ "event": "ended", "session": session, "reason": reason }));
    match reason {
        EndReason::Technician => {
            output.note(sentences::ended(reason));
            Ok(())
        }
        _ => Err(Failure::new(exit(reason), sentences::ended(reason), sentences::after_end(reason))
            .about("device", format!("{} ({})", device.name, device.id_code))),
    }
}

/// From the request to the end.
async fn carry(
    by: &SignedIn,
    device: &DeviceView,
    asked: SessionView,
    key: SessionKey,
    listeners: Vec<Listener>,
    interrupted: &CancellationToken,
    output: Output,
) -> Result<EndReason, Failure> {
    let allowed = allowed(by, device, asked, output);
    let Some(session) = interrupted.run_until_cancelled(allowed).await else { return Ok(EndReason::Technician) };
    let session = session?;
    let join = match interrupted.run_until_cancelled(by.cloud.join(session)).await {
        Some(Ok(join)) => join,
        Some(Err(error)) => return over(by, session, error.into()).await,
        None => return Ok(EndReason::Technician),
    };
    let line = LiveLine::new(device, &listeners, join.until, by.clock.clone(), output);
    let (tls, clock) = (by.tls.clone(), by.clock.clone());
    let ours = Session { join, key, listeners, tls, clock, random: Random::system() };
    let (updates, told) = mpsc::unbounded_channel();
    let running = forward::run(ours, interrupted.cancelled(), updates);
    let (ending, ()) = tokio::join!(running, line.follow(told));
    match ending {
        Ok(ending) | Err(ForwardError::Ended(ending)) => Ok(ending.reason),
        Err(error) => {
            let failure = Failure::new(exit(error.reason()), error.to_string(), sentences::after_end(error.reason()))
                .about("device", format!("{} ({})", device.name, device.id_code));
            match error {
                ForwardError::Join(_) => over(by, session, failure).await,
                ForwardError::Dial(_)
                | ForwardError::Material(_)
                | ForwardError::Handshake(_)
                | ForwardError::Unaccepted(_)
                | ForwardError::Ended(_) => Err(failure),
            }
        }
    }
}

/// The end that the portal knows of, where it explains why there was nothing left to join; else what failed here.
async fn over(by: &SignedIn, session: SessionId, failure: Failure) -> Result<EndReason, Failure> {
    match by.cloud.session(session).await {
        Ok(SessionView { end_reason: Some(reason), .. }) => Ok(reason),
        Ok(_) | Err(_) => Err(failure),
    }
}

/// Waits for the customer's word.
async fn allowed(
    by: &SignedIn,
    device: &DeviceView,
    mut session: SessionView,
    output: Output,
) -> Result<SessionId, Failure> {
    let mut waiting = None;
    loop {
        match session.state {
            SessionState::Open => return Ok(session.id),
            SessionState::Refused => {
                return Err(Failure::new(Exit::Refused, sentences::SESSION_REFUSED, sentences::NEXT_AGREE)
                    .about("device", format!("{} ({})", device.name, device.id_code)));
            }
            SessionState::Ended => {
                let reason = session.end_reason.unwrap_or(EndReason::Revoked);
                return Err(Failure::new(exit(reason), sentences::ended(reason), sentences::after_end(reason)));
            }
            SessionState::Waiting => {
                let line = waiting.get_or_insert_with(|| Waiting::new(device, output));
                line.show(device, by.clock.now().since(session.requested_at));
                session = by.cloud.session_after(session.id, SessionState::Waiting).await?;
            }
        }
    }
}

async fn open_ports(device: &DeviceView, forwards: &[Forward]) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::with_capacity(forwards.len());
    for forward in forwards {
        if !device.services.iter().any(|service| service.name == forward.service) {
            let names: Vec<_> = device.services.iter().map(|service| service.name.to_string()).collect();
            let what = sentences::no_service(&device.name, &forward.service);
            let failure = Failure::new(Exit::Usage, what, sentences::NEXT_NAME_SERVICE);
            return Err(failure.about("services", sentences::offers(&names)));
        }
        let listener = bind(forward, &device.services).await;
        listeners
            .push(listener.map_err(|error| Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_OTHER_PORT))?);
    }
    Ok(listeners)
}

/// Tells the portal that the session is over, in case the relay could not.
async fn end_there(by: &SignedIn, session: SessionId, output: Output) {
    output.note(sentences::ENDING);
    match tokio::time::timeout(Duration::from_secs(5), by.cloud.stop(session)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, %session, "the portal was not told"),
        Err(_) => tracing::warn!(%session, "the portal was not told in time"),
    }
}

/// Cancelled by Ctrl-C or SIGTERM. Whoever says so twice does not want to wait for a farewell: the program ends, and the
/// portal finds out by itself.
fn interrupted() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signal = signal(kind).map_err(|error| broken(&error))?;
        let token = token.clone();
        tokio::spawn(async move {
            signal.recv().await;
            token.cancel();
            signal.recv().await;
            std::process::exit(INTERRUPTED);
        });
    }
    Ok(token)
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_TRY_AGAIN)
}

const fn exit(reason: EndReason) -> Exit {
    match reason {
        EndReason::Refused
        | EndReason::DeviceOff
        | EndReason::DeviceConsent
        | EndReason::DeviceOwner
        | EndReason::DeviceServices
        | EndReason::DeviceBusy
        | EndReason::DeviceClock
        | EndReason::DeviceFault => Exit::Refused,
        EndReason::RelayLost | EndReason::NeverJoined => Exit::Unreachable,
        EndReason::Technician
        | EndReason::Customer
        | EndReason::Device
        | EndReason::Expired
        | EndReason::Idle
        | EndReason::Revoked => Exit::Ended,
    }
}
