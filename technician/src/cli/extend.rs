//! `extend`: asks the customer for more time in a session that is open, and waits for their word. The session itself runs
//! elsewhere, in `forward` or `vpn`, and goes on meanwhile.

use clap::Args;
use gatelodge_proto::{
    SessionId,
    api::{DeviceView, ExtensionState, SessionState, SessionView},
    payload::EndReason,
};
use serde_json::json;

use super::{SignedIn, session::exit};
use crate::{
    output::{Exit, Failure, Output},
    pick, sentences,
};

#[derive(Debug, Args)]
pub(super) struct ExtendArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// By how much
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=240))]
    minutes: u32,
    /// Which session, when several are open with the device
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
}

pub(super) async fn extend(arguments: ExtendArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    let open = open(by.cloud.sessions(true).await?, device, arguments.session)?;
    let mut session = by.cloud.extend(open.id, arguments.minutes).await?;
    let mut told = false;
    loop {
        let asked = session.extension.map(|extension| extension.state);
        match (session.state, asked) {
            (SessionState::Open, Some(ExtensionState::Asked)) => {
                if !told {
                    output.value(&json!({ "event": "asked", "session": session.id, "minutes": arguments.minutes }));
                    output.note(&sentences::asked_for_more(arguments.minutes));
                }
                told = true;
                session = by.cloud.session_after_answer(session.id).await?;
            }
            (SessionState::Open, Some(ExtensionState::Declined)) => {
                return Err(Failure::new(Exit::Refused, sentences::NO_MORE_TIME, sentences::NEXT_NO_MORE_TIME)
                    .about("device", format!("{} ({})", device.name, device.id_code)));
            }
            (SessionState::Open, Some(ExtensionState::Given) | None) => {
                let left = session.until.map_or(0, |until| until.since(by.clock.now()).as_secs());
                output.value(&json!({ "event": "extended", "session": session.id, "until": session.until }));
                output.note(&sentences::goes_on(left));
                return Ok(());
            }
            (SessionState::Ended | SessionState::Waiting | SessionState::Refused, _) => {
                let reason = session.end_reason.unwrap_or(EndReason::Revoked);
                return Err(Failure::new(exit(reason), sentences::ended(reason), sentences::after_end(reason)));
            }
        }
    }
}

/// The one open session with the device, or the one that was named.
fn open(live: Vec<SessionView>, device: &DeviceView, named: Option<SessionId>) -> Result<SessionView, Failure> {
    let fits = |session: &SessionView| {
        session.device == device.id
            && session.state == SessionState::Open
            && named.is_none_or(|named| session.id == named)
    };
    let mut open: Vec<_> = live.into_iter().filter(fits).collect();
    match (open.pop(), open.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            let of = |session: &SessionView| format!("{} ({})", session.id, session.technician);
            let known: Vec<_> = open.iter().chain([&one]).map(of).collect();
            Err(Failure::new(Exit::Usage, sentences::several_open(&device.name), sentences::NEXT_WHICH_SESSION)
                .about("sessions", known.join(", ")))
        }
        (None, _) => Err(Failure::new(Exit::Usage, sentences::none_open(&device.name), sentences::NEXT_OPEN_SESSION)),
    }
}
