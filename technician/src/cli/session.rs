//! What every verb that opens a session does: asks for it, waits for the customer, joins, and says how it ended.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use gatelodge_proto::{
    Random, SessionId,
    api::{DeviceView, SessionRequest, SessionState, SessionView},
    payload::{EndReason, Feature, ServiceName, TicketNumber},
    session::Ending,
};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{SignedIn, live_line::Waiting, proxy_to};
use crate::{
    forward::{Back, Calls, ForwardError, Session, SessionKey},
    output::{Exit, Failure, Output},
    sentences,
};

/// What shells know as "ended by Ctrl-C".
const INTERRUPTED: i32 = 130;

/// What is said of any session that is asked for.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Why; the customer reads it, and it is kept. On a terminal it is asked for when left out
    #[arg(long)]
    reason: Option<String>,
    /// The number under which you keep this work; the customer reads it, and it is kept
    #[arg(long, value_name = "NUMBER")]
    ticket: Option<TicketNumber>,
    /// It is an emergency and nobody answers: enter without asking, where the customer has agreed to it. They and your
    /// organisation are told at once, with the reason
    #[arg(long)]
    break_glass: bool,
    /// For how long at most
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
}

/// What a session is asked for.
pub(super) struct Reach {
    pub(super) services: Vec<ServiceName>,
    pub(super) networks: Vec<ServiceName>,
    pub(super) backs: Vec<Back>,
    pub(super) features: Vec<Feature>,
}

/// Where the calls that a technician names go; each of them once.
pub(super) fn backs(device: &DeviceView, named: &[Calls]) -> Result<Vec<Back>, Failure> {
    let mut backs: Vec<Back> = Vec::new();
    for Calls { name, local } in named {
        let Some(listen) = device.listens.iter().find(|listen| listen.name == *name) else {
            let known: Vec<_> = device.listens.iter().map(|listen| listen.name.to_string()).collect();
            let what = sentences::no_listen(&device.name, name);
            return Err(
                Failure::new(Exit::Usage, what, sentences::NEXT_NAME_LISTEN).about("ports", sentences::offers(&known))
            );
        };
        let local = local.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port)));
        backs.retain(|back| back.name != *name);
        backs.push(Back { name: name.clone(), protocol: listen.protocol, local });
    }
    Ok(backs)
}

/// How the calls are told, for people and programs.
pub(super) fn told(device: &DeviceView, backs: &[Back]) -> (Vec<String>, Value) {
    let known = |back: &Back| device.listens.iter().find(|listen| listen.name == back.name).cloned();
    let pairs: Vec<_> = backs.iter().filter_map(|back| Some((known(back)?, back.local))).collect();
    let lines = pairs.iter().map(|(listen, local)| sentences::calls(listen, *local)).collect();
    let events: Vec<_> = pairs
        .iter()
        .map(|(listen, local)| json!({ "listen": listen.name, "port": listen.port, "from": listen.from, "local": local }))
        .collect();
    (lines, events.into())
}

/// What the technician has said, and the word that ends what follows.
pub(super) struct Asked {
    reason: Option<String>,
    ticket_number: Option<TicketNumber>,
    break_glass: bool,
    minutes: u32,
    interrupted: CancellationToken,
}

/// What a second Ctrl-C does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    /// Ends the program: nothing is left behind but a session that the portal ends by itself.
    Exits,
    /// Nothing more: there is something to put back as it was, which takes seconds.
    Waits,
}

impl Asking {
    /// Asks why, where nobody said so. Until here Ctrl-C ends the program, whatever it waits for; from here on it ends
    /// what follows in order.
    pub(super) async fn ask(self, twice: Twice, output: Output) -> Result<Asked, Failure> {
        let reason = match self.reason {
            None => output.ask(sentences::WHY).await,
            given => given,
        };
        let Self { ticket: ticket_number, break_glass, minutes, .. } = self;
        Ok(Asked { reason, ticket_number, break_glass, minutes, interrupted: interrupted(twice)? })
    }
}

/// A session from the request to its end. `run` has the session once it may be joined, and the word that ends it.
pub(super) async fn hold(
    by: &SignedIn,
    device: &DeviceView,
    reach: Reach,
    asking: Asked,
    output: Output,
    run: impl AsyncFnOnce(Session, CancellationToken) -> Result<Ending, ForwardError>,
) -> Result<(), Failure> {
    let key = SessionKey::make().map_err(|error| broken(&error))?;
    let Reach { mut services, networks, backs, features } = reach;
    services.sort();
    services.dedup();
    let Asked { reason, ticket_number, break_glass, minutes, interrupted } = asking;
    let request = SessionRequest {
        device: device.id,
        services,
        networks,
        listens: backs.iter().map(|back| back.name.clone()).collect(),
        features,
        reason,
        ticket_number,
        break_glass,
        minutes,
        csr: key.csr().map_err(|error| broken(&error))?,
    };
    let asked = by.cloud.ask_session(&request).await?;
    let session = asked.id;
    if asked.break_glass {
        output.note(sentences::BROKE_GLASS);
    }
    output.value(&json!({ "event": "asked", "session": session, "state": asked.state.word() }));
    let outcome = carry(by, device, asked, (key, backs), &interrupted, output, run).await;
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

/// From the customer's word to the end.
async fn carry(
    by: &SignedIn,
    device: &DeviceView,
    asked: SessionView,
    (key, backs): (SessionKey, Vec<Back>),
    interrupted: &CancellationToken,
    output: Output,
    run: impl AsyncFnOnce(Session, CancellationToken) -> Result<Ending, ForwardError>,
) -> Result<EndReason, Failure> {
    let allowed = allowed(by, device, asked, output);
    let Some(session) = interrupted.run_until_cancelled(allowed).await else { return Ok(EndReason::Technician) };
    let session = session?;
    let join = match interrupted.run_until_cancelled(by.cloud.join(session)).await {
        Some(Ok(join)) => join,
        Some(Err(error)) => return over(by, session, error.into()).await,
        None => return Ok(EndReason::Technician),
    };
    let proxy = match Url::parse(&join.relay) {
        Ok(relay) => proxy_to(&relay, by.way.as_ref())?,
        Err(_) => None,
    };
    let (tls, clock, random) = (by.tls.clone(), by.clock.clone(), Random::system());
    let ours = Session { join, key, tls, backs, proxy, clock, random };
    match run(ours, interrupted.clone()).await {
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

/// Tells the portal that the session is over, in case the relay could not.
async fn end_there(by: &SignedIn, session: SessionId, output: Output) {
    output.note(sentences::ENDING);
    match tokio::time::timeout(Duration::from_secs(5), by.cloud.stop(session)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, %session, "the portal was not told"),
        Err(_) => tracing::warn!(%session, "the portal was not told in time"),
    }
}

/// Cancelled by Ctrl-C, by SIGTERM, and when the terminal is closed. Whoever says so twice does not want to wait for a
/// farewell: the program ends where it may, and the portal finds out by itself.
fn interrupted(twice: Twice) -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signal = signal(kind).map_err(|error| broken(&error))?;
        let token = token.clone();
        tokio::spawn(async move {
            signal.recv().await;
            token.cancel();
            while signal.recv().await.is_some() {
                if twice == Twice::Exits {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    }
    Ok(token)
}

pub(super) fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string(), sentences::NEXT_TRY_AGAIN)
}

pub(super) const fn exit(reason: EndReason) -> Exit {
    match reason {
        EndReason::Refused
        | EndReason::DeviceOff
        | EndReason::DeviceConsent
        | EndReason::DeviceOwner
        | EndReason::DeviceServices
        | EndReason::DeviceBusy
        | EndReason::DeviceClock
        | EndReason::DeviceFault
        | EndReason::DeviceProof => Exit::Refused,
        EndReason::RelayLost | EndReason::NeverJoined => Exit::Unreachable,
        EndReason::Technician
        | EndReason::Customer
        | EndReason::Device
        | EndReason::Expired
        | EndReason::Idle
        | EndReason::Revoked => Exit::Ended,
    }
}
