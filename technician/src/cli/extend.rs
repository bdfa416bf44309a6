//! `extend`: asks the customer for more time in a session that is open, waits for their word and then for the device's.
//! The session itself runs elsewhere, in `forward` or `vpn`, and goes on meanwhile.

use std::time::Duration;

use clap::Args;
use gatelodge_proto::{
    SessionId,
    api::{DeviceView, ExtensionState, SessionState, SessionView},
    payload::{EndReason, NotLonger},
};
use serde_json::json;
use tokio::time::Instant;

use super::{SignedIn, session::exit};
use crate::{
    output::{Exit, Failure, Output},
    pick, sentences,
};

/// How long the device's word is waited for. What was given holds without it, and reaches the device when it is there.
const DEVICE_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct ExtendArguments {
    /// The device: its name, web address or ID code
    device: String,
    /// By how much
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Which session, when you have several open with the device, or a colleague's
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
}

pub(super) async fn extend(arguments: ExtendArguments, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let devices = by.cloud.devices().await?;
    let device = pick::device(&devices, &arguments.device)?;
    let open = match arguments.session {
        Some(id) => named(by.cloud.sessions(true).await?, device, id)?,
        None => own(by.cloud.own_sessions(device.id).await?, device)?,
    };
    let mut session = by.cloud.extend(open.id, arguments.minutes).await?;
    let (mut told, mut given_at) = (false, None);
    loop {
        let wish = session.extension;
        match (session.state, wish.map(|wish| wish.state)) {
            (SessionState::Open, Some(ExtensionState::Asked)) => {
                if !told {
                    output.value(&json!({ "event": "asked", "session": session.id, "minutes": arguments.minutes }));
                    output.note(&sentences::asked_for_more(arguments.minutes));
                }
                told = true;
                session = by.cloud.session_after_answer(session.id, ExtensionState::Asked).await?;
            }
            (SessionState::Open, Some(ExtensionState::Given)) => {
                if given_at.get_or_insert_with(Instant::now).elapsed() >= DEVICE_WITHIN {
                    output.value(&json!({ "event": "given", "session": session.id, "until": session.until }));
                    output.note(sentences::NOT_ANSWERED_YET);
                    return Ok(());
                }
                session = by.cloud.session_after_answer(session.id, ExtensionState::Given).await?;
            }
            (SessionState::Open, Some(ExtensionState::Taken) | None) => {
                let left = session.until.map_or(0, |until| until.since(by.clock.now()).as_secs());
                let SessionView { id, until, longest, .. } = session;
                output.value(&json!({ "event": "extended", "session": id, "until": until, "longest": longest }));
                output.note(&sentences::goes_on_until(left, longest));
                return Ok(());
            }
            (SessionState::Open, Some(ExtensionState::Declined)) => {
                return Err(no(device, sentences::NO_MORE_TIME, sentences::NEXT_NO_MORE_TIME));
            }
            (SessionState::Open, Some(ExtensionState::Refused)) => {
                let why = wish.and_then(|wish| wish.refusal).unwrap_or(NotLonger::Grant);
                return Err(no(device, sentences::not_longer(why), sentences::after_not_longer(why)));
            }
            (SessionState::Ended | SessionState::Waiting | SessionState::Refused, _) => {
                let reason = session.end_reason.unwrap_or(EndReason::Revoked);
                return Err(Failure::new(exit(reason), sentences::ended(reason), sentences::after_end(reason)));
            }
        }
    }
}

fn no(device: &DeviceView, what: &str, next: &str) -> Failure {
    Failure::new(Exit::Refused, what, next).about("device", format!("{} ({})", device.name, device.id_code))
}

/// The one that was named, whoever of the organisation asked for it.
fn named(live: Vec<SessionView>, device: &DeviceView, id: SessionId) -> Result<SessionView, Failure> {
    let fits =
        |session: &SessionView| session.id == id && session.device == device.id && session.state == SessionState::Open;
    live.into_iter()
        .find(fits)
        .ok_or_else(|| Failure::new(Exit::Usage, sentences::not_open(id, &device.name), sentences::NEXT_OTHER_SESSION))
}

/// The one that the caller has open with the device.
fn own(live: Vec<SessionView>, device: &DeviceView) -> Result<SessionView, Failure> {
    let mut open: Vec<_> = live.into_iter().filter(|session| session.state == SessionState::Open).collect();
    let none = || Failure::new(Exit::Usage, sentences::none_open(&device.name), sentences::NEXT_OPEN_SESSION);
    let newest = if open.is_empty() { return Err(none()) } else { open.remove(0) };
    if open.is_empty() {
        return Ok(newest);
    }
    let known: Vec<_> = std::iter::once(&newest).chain(&open).map(sentences::one_open).collect();
    let next = sentences::which_session(pick::named(device).as_str(), newest.id);
    Err(Failure::new(Exit::Usage, sentences::several_open(&device.name), next)
        .about("yours", known.join("\n          ")))
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        DeviceId, Random, Timestamp,
        api::Presence,
        identity::IdCode,
        payload::{Consent, Life},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn session(seed: u64, device: DeviceId, state: SessionState) -> SessionView {
        SessionView {
            id: SessionId::make(NOW, &Random::seeded(seed)),
            device,
            device_name: "villa-rosa".into(),
            technician: "Marc Petit".into(),
            organisation: "Petit Alarmes".into(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            reason: Some("yearly check".into()),
            ticket_number: None,
            break_glass: false,
            state,
            requested_at: NOW,
            opened_at: Some(NOW),
            until: Some(NOW + Duration::from_secs(3600)),
            longest: false,
            consent_kind: None,
            extension: None,
            ended_at: None,
            end_reason: None,
            bytes_up: 0,
            bytes_down: 0,
        }
    }

    fn device() -> DeviceView {
        let random = Random::seeded(9);
        DeviceView {
            id: DeviceId::make(NOW, &random),
            id_code: IdCode::make(&random),
            name: "villa-rosa".into(),
            product: "Alarm server".into(),
            life: Life::Active,
            presence: Presence { online: true, since: None },
            web_address: "villa-rosa".parse().ok(),
            customer: None,
            consent: Some(Consent::Ask),
            opening: gatelodge_proto::opening::Opening::default(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            presets: Vec::new(),
        }
    }

    #[test]
    fn of_several_own_sessions_one_is_chosen_and_it_is_said_how() {
        let device = device();
        let session = |seed, state| session(seed, device.id, state);
        let (one, other) = (session(1, SessionState::Open), session(2, SessionState::Open));
        let chosen = own(vec![session(3, SessionState::Waiting), one.clone()], &device).unwrap();
        assert_eq!(chosen.id, one.id, "what waits cannot be extended");
        let several = own(vec![one.clone(), other.clone()], &device).unwrap_err().lines();
        for words in [
            "you have several sessions open with villa-rosa",
            &format!("gatelodge extend villa-rosa --session {}", one.id),
            &one.id.to_string(),
            &other.id.to_string(),
            "yearly check",
        ] {
            assert!(several.contains(words), "{words}: {several}");
        }
        let none = own(vec![session(3, SessionState::Waiting)], &device).unwrap_err().lines();
        assert!(none.contains("you have no session open with villa-rosa") && none.contains("--session"), "{none}");
    }

    #[test]
    fn a_session_that_is_named_is_open_with_that_device() {
        let device = device();
        let open = session(1, device.id, SessionState::Open);
        let elsewhere = session(2, DeviceId::make(NOW, &Random::seeded(3)), SessionState::Open);
        let waiting = session(3, device.id, SessionState::Waiting);
        let live = vec![waiting.clone(), elsewhere.clone(), open.clone()];
        assert_eq!(named(live.clone(), &device, open.id).unwrap().id, open.id);
        for unfit in [elsewhere.id, waiting.id] {
            let refused = named(live.clone(), &device, unfit).unwrap_err().lines();
            assert!(refused.contains("is not open with villa-rosa"), "{refused}");
        }
    }
}
