//! Why registering, confirming, changing or releasing was not done, as the API says it.

use http::StatusCode;

use crate::{
    activation::{
        amend::AmendRefusal,
        confirm::ConfirmRefusal,
        hand_over::{OfferRefusal, TakeOverRefusal},
        machine,
        model::InvalidCustomerData,
        register::RegisterRefusal,
        release::ReleaseRefusal,
        rule::RuleRefusal,
    },
    web::{Fault, Problem, Refusal},
};

impl From<InvalidCustomerData> for Refusal {
    fn from(invalid: InvalidCustomerData) -> Self {
        let mut problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_customer",
            "The data does not fit",
            &invalid.to_string(),
        );
        problem.0.fields = invalid.problems();
        problem.into()
    }
}

fn conflict(code: &str, title: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title, detail)
}

impl From<RegisterRefusal> for Refusal {
    fn from(refusal: RegisterRefusal) -> Self {
        let (word, detail) = (refusal.word(), refusal.to_string());
        let field = |field: &str| -> Self {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, word, "The device cannot be registered", &detail)
                .field(field, &detail)
                .into()
        };
        match refusal {
            RegisterRefusal::UnknownPair => field("id_code"),
            RegisterRefusal::WebAddressInUse => field("web_address"),
            RegisterRefusal::WrongCode { .. }
            | RegisterRefusal::Locked
            | RegisterRefusal::NoCodeShown
            | RegisterRefusal::Disputed => field("on_site_code"),
            RegisterRefusal::WrongLabelSecret | RegisterRefusal::LabelSecretOver => field("label_secret"),
            RegisterRefusal::Yours(_)
            | RegisterRefusal::Taken
            | RegisterRefusal::Retired
            | RegisterRefusal::NotConnected => conflict(word, "The device cannot be registered", &detail).into(),
            RegisterRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            RegisterRefusal::Verify(_) => {
                tracing::error!(
                    error = &refusal as &dyn std::error::Error,
                    "a proof of being there could not be checked"
                );
                Fault::broken().into()
            }
            RegisterRefusal::Database(error) => error.into(),
        }
    }
}

fn state_problem(refusal: machine::Refusal) -> Problem {
    let code = match refusal {
        machine::Refusal::AlreadyActive => "already_active",
        machine::Refusal::NotActive => "device_not_active",
        machine::Refusal::Ended => "registration_over",
        machine::Refusal::AnotherAccount => "another_account",
    };
    conflict(code, "This cannot be done now", &refusal.to_string())
}

impl From<AmendRefusal> for Refusal {
    fn from(refusal: AmendRefusal) -> Self {
        match refusal {
            AmendRefusal::Unknown => Fault::not_found().into(),
            AmendRefusal::State(refusal) => state_problem(refusal).into(),
            AmendRefusal::SameAddress => conflict("same_address", "Nothing to correct", &refusal.to_string())
                .field("email", &refusal.to_string())
                .into(),
            AmendRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            AmendRefusal::Device(error) => error.into(),
            AmendRefusal::Database(error) => error.into(),
        }
    }
}

impl From<ConfirmRefusal> for Refusal {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::Link(fault) => {
                Problem::new(StatusCode::GONE, fault.word(), "The link is no longer good", fault.sentence()).into()
            }
            ConfirmRefusal::State(refusal) => state_problem(refusal).into(),
            ConfirmRefusal::Organisation => {
                conflict("unknown_organisation", "Unknown organisation", &refusal.to_string()).into()
            }
            ConfirmRefusal::Device(error) => error.into(),
            ConfirmRefusal::Database(error) => error.into(),
        }
    }
}

impl From<RuleRefusal> for Refusal {
    fn from(refusal: RuleRefusal) -> Self {
        match refusal {
            RuleRefusal::Unknown => Fault::not_found().into(),
            RuleRefusal::State(refusal) => state_problem(refusal).into(),
            RuleRefusal::WebAddressInUse => conflict("web_address_in_use", "In use", &refusal.to_string())
                .field("web_address", &refusal.to_string())
                .into(),
            RuleRefusal::OtherInstaller => {
                conflict("other_installer", "Another installer", &refusal.to_string()).into()
            }
            RuleRefusal::Windows => {
                let detail = refusal.to_string();
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Problem::new(status, "too_many_windows", "Too many hours", &detail).field("hours", &detail).into()
            }
            RuleRefusal::Database(error) => error.into(),
        }
    }
}

impl From<OfferRefusal> for Refusal {
    fn from(refusal: OfferRefusal) -> Self {
        match refusal {
            OfferRefusal::Unknown => Fault::not_found().into(),
            OfferRefusal::Throttled(throttled) => Fault::throttled(throttled.seconds()).into(),
            OfferRefusal::Database(error) => error.into(),
        }
    }
}

impl From<TakeOverRefusal> for Refusal {
    fn from(refusal: TakeOverRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            TakeOverRefusal::Link(fault) => {
                Problem::new(StatusCode::GONE, fault.word(), "This link does not work", &detail).into()
            }
            TakeOverRefusal::Yours(_) => conflict("yours", "Nothing was taken over", &detail).into(),
            TakeOverRefusal::Database(error) => error.into(),
        }
    }
}

impl From<ReleaseRefusal> for Refusal {
    fn from(refusal: ReleaseRefusal) -> Self {
        match refusal {
            ReleaseRefusal::Unknown => Fault::not_found().into(),
            ReleaseRefusal::NotTheName(_) => conflict("not_the_name", "Nothing was released", &refusal.to_string())
                .field("typed", &refusal.to_string())
                .into(),
            ReleaseRefusal::Device(error) => error.into(),
            ReleaseRefusal::Database(error) => error.into(),
        }
    }
}
