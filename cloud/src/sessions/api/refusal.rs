//! Why a session was not asked for, joined or decided, as the API says it.

use http::StatusCode;

use crate::{
    accounts::second_factor::SecondFactorNeeded,
    sessions::{
        break_glass::NoBreakGlass,
        decide::{DecideRefusal, OpenRefusal},
        extend::ExtendRefusal,
        join::JoinRefusal,
        machine::{self, NoMoreTime},
        request::{RequestRefusal, Unkeyed},
    },
    web::{Fault, Problem, Refusal},
};

fn state_problem(refusal: machine::Refusal) -> Problem {
    let (code, title, next) = match refusal {
        machine::Refusal::Waiting => {
            ("consent_needed", "Not allowed yet", "Wait, or ask the customer to open Requests in the portal.")
        }
        machine::Refusal::AlreadyOpen => ("session_open", "Open already", "Join it, or stop it."),
        machine::Refusal::Refused => {
            ("session_refused", "Refused", "Talk to the customer, then ask for another session.")
        }
        machine::Refusal::Ended => ("session_over", "Over", "Ask for another session."),
    };
    Problem::new(StatusCode::CONFLICT, code, title, &refusal.to_string()).next(next)
}

fn open_problem(refusal: OpenRefusal) -> Refusal {
    match refusal {
        OpenRefusal::Database(error) => error.into(),
        OpenRefusal::TooManyServices => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_services",
            "Too many services",
            &refusal.to_string(),
        )
        .field("services", &refusal.to_string())
        .into(),
        OpenRefusal::NoTechnician | OpenRefusal::Overtaken => {
            Problem::new(StatusCode::CONFLICT, "session_over", "Over", &refusal.to_string()).into()
        }
    }
}

impl From<RequestRefusal> for Refusal {
    fn from(refusal: RequestRefusal) -> Self {
        let detail = refusal.to_string();
        let field = |code: &str, field: &str| -> Self {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The request does not fit", &detail)
                .field(field, &detail)
                .into()
        };
        match refusal {
            RequestRefusal::UnknownDevice => Fault::not_found().into(),
            RequestRefusal::NotActive => {
                Problem::new(StatusCode::CONFLICT, "device_not_active", "Not active", &detail).into()
            }
            RequestRefusal::Stopped(_) => Problem::new(StatusCode::CONFLICT, "emergency_stop", "Stopped", &detail)
                .next("Ask the vendor when it is lifted, then ask again.")
                .into(),
            RequestRefusal::SecondFactor(needed) => {
                let next = match needed {
                    SecondFactorNeeded::NotSetUp => {
                        "Set one up in the portal under My data, Second factor; then run `gatelodge sign-in` and approve it there."
                    }
                    SecondFactorNeeded::NotConfirmed(_) => {
                        "Run `gatelodge sign-in`, and confirm in the browser that opens; then ask again."
                    }
                };
                Problem::new(StatusCode::FORBIDDEN, "second_factor_needed", "Second factor needed", &detail)
                    .next(next)
                    .into()
            }
            RequestRefusal::NoServices => field("no_services", "services"),
            RequestRefusal::BlindAlone => field("not_alone", "features"),
            RequestRefusal::UnknownService { .. } => field("unknown_service", "services"),
            RequestRefusal::UnknownNetwork { .. } => field("unknown_network", "networks"),
            RequestRefusal::UnknownListen { .. } => field("unknown_listen", "listens"),
            RequestRefusal::UnknownFeature { .. } => field("unknown_feature", "features"),
            RequestRefusal::NoRecordingKey(unkeyed) => {
                let next = match unkeyed {
                    Unkeyed::Installer => "Have an administrator of your organisation set it: portal, Recordings.",
                    Unkeyed::Customer => {
                        "Ask the customer to set it: portal, Recordings. Then ask for the session again."
                    }
                };
                Problem::new(StatusCode::CONFLICT, "no_recording_key", "Nobody could read the recording", &detail)
                    .next(next)
                    .into()
            }
            RequestRefusal::Reason => field("invalid_reason", "reason"),
            RequestRefusal::BreakGlass(NoBreakGlass::NoReason) => field("reason_needed", "reason"),
            RequestRefusal::BreakGlass(NoBreakGlass::Throttled(throttled)) => {
                Fault::throttled(throttled.seconds()).into()
            }
            RequestRefusal::BreakGlass(NoBreakGlass::NotAgreed | NoBreakGlass::NotYou | NoBreakGlass::Pinned) => {
                Problem::new(StatusCode::FORBIDDEN, "break_glass_not_agreed", "Not agreed", &detail)
                    .next("Ask for a session without it: the customer gets a mail and answers.")
                    .into()
            }
            RequestRefusal::Minutes(_) => field("minutes_out_of_range", "minutes"),
            RequestRefusal::Csr(_) => field("invalid_csr", "csr"),
            RequestRefusal::Busy => Problem::new(StatusCode::CONFLICT, "device_busy", "Busy", &detail)
                .next("Stop a session of this device, then ask again.")
                .into(),
            RequestRefusal::OrganisationBusy(_) => {
                Problem::new(StatusCode::CONFLICT, "organisation_busy", "Busy", &detail)
                    .next("Stop a session of your organisation, then ask again.")
                    .into()
            }
            RequestRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            RequestRefusal::Open(refusal) => open_problem(refusal),
            RequestRefusal::Database(error) => error.into(),
        }
    }
}

impl From<JoinRefusal> for Refusal {
    fn from(refusal: JoinRefusal) -> Self {
        match refusal {
            JoinRefusal::Unknown => Fault::not_found().into(),
            JoinRefusal::State(refusal) => state_problem(refusal).into(),
            JoinRefusal::Key(_) | JoinRefusal::Pki(_) => {
                tracing::error!(error = &refusal as &dyn std::error::Error, "a session key could not be certified");
                Fault::broken().into()
            }
            JoinRefusal::Database(error) => error.into(),
        }
    }
}

impl From<ExtendRefusal> for Refusal {
    fn from(refusal: ExtendRefusal) -> Self {
        let detail = refusal.to_string();
        let conflict = |code: &str, title: &str, next: &str| -> Self {
            Problem::new(StatusCode::CONFLICT, code, title, &detail).next(next).into()
        };
        match refusal {
            ExtendRefusal::Unknown => Fault::not_found().into(),
            ExtendRefusal::Minutes(_) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "minutes_out_of_range",
                "The request does not fit",
                &detail,
            )
            .field("minutes", &detail)
            .into(),
            ExtendRefusal::State(NoMoreTime::TooLong(_)) => {
                conflict("session_too_long", "Too long", "Let it end, then ask for another session.")
            }
            ExtendRefusal::State(NoMoreTime::Device) => conflict(
                "device_limit",
                "Too long for the device",
                "Let it end, then ask for another session; the device's remote_access.max_minutes is its longest.",
            ),
            ExtendRefusal::State(NoMoreTime::NotAsked) => {
                conflict("not_asked", "Not asked for", "Read the session again: somebody may have answered.")
            }
            ExtendRefusal::State(NoMoreTime::Moved) => {
                conflict("already_extended", "Already extended", "Look at the session's new end first.")
            }
            ExtendRefusal::State(NoMoreTime::Over) => conflict("session_over", "Over", "Ask for another session."),
            ExtendRefusal::Unsigned | ExtendRefusal::NotSigned(_) => conflict(
                "passkey_needed",
                "The customer's passkey is needed",
                "Open Sessions in the portal, or press Allow on the device.",
            ),
            ExtendRefusal::Factor(refusal) => Fault::from(refusal).into(),
            ExtendRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            ExtendRefusal::Database(error) => error.into(),
        }
    }
}

impl From<DecideRefusal> for Refusal {
    fn from(refusal: DecideRefusal) -> Self {
        match refusal {
            DecideRefusal::Unknown => Fault::not_found().into(),
            DecideRefusal::State(refusal) => state_problem(refusal).into(),
            DecideRefusal::Fallen => {
                Problem::new(StatusCode::CONFLICT, "session_over", "Over", &refusal.to_string()).into()
            }
            DecideRefusal::Unsigned | DecideRefusal::NotSigned(_) => Problem::new(
                StatusCode::CONFLICT,
                "passkey_needed",
                "The customer's passkey is needed",
                &refusal.to_string(),
            )
            .next("Open Requests in the portal, or press Allow on the device.")
            .into(),
            DecideRefusal::Factor(refusal) => Fault::from(refusal).into(),
            DecideRefusal::Open(refusal) => open_problem(refusal),
            DecideRefusal::Database(error) => error.into(),
        }
    }
}
