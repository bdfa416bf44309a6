//! The refusals of accounts as the API says them (RFC 9457).

use http::StatusCode;

use crate::{
    accounts::{
        failure::Failure,
        password::PasswordRefusal,
        recover::SetPasswordRefusal,
        sign_up::ConfirmRefusal,
        throttle::Throttled,
        tokens::{InvalidSecret, TokenRefusal},
    },
    web::Problem,
};

pub(in crate::accounts) use crate::web::Refusal;

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Fault(failure.into())
    }
}

impl From<Throttled> for Refusal {
    fn from(throttled: Throttled) -> Self {
        let (status, detail) = (StatusCode::TOO_MANY_REQUESTS, throttled.to_string());
        let problem = Problem::new(status, "throttled", "Too many tries", &detail).next("Wait, then try again.");
        Self::Later(problem, throttled.seconds())
    }
}

impl From<PasswordRefusal> for Refusal {
    fn from(refusal: PasswordRefusal) -> Self {
        let detail = refusal.to_string();
        invalid("The password is not taken.").field("password", &detail).into()
    }
}

impl From<TokenRefusal> for Refusal {
    fn from(refusal: TokenRefusal) -> Self {
        let code = match refusal {
            TokenRefusal::Unknown => "link_unknown",
            TokenRefusal::Expired => "link_expired",
            TokenRefusal::Used => "link_used",
            TokenRefusal::Superseded => "link_superseded",
        };
        Problem::new(StatusCode::GONE, code, "The link does not work", &refusal.to_string()).into()
    }
}

impl From<InvalidSecret> for Refusal {
    fn from(_: InvalidSecret) -> Self {
        TokenRefusal::Unknown.into()
    }
}

impl From<SetPasswordRefusal> for Refusal {
    fn from(refusal: SetPasswordRefusal) -> Self {
        match refusal {
            SetPasswordRefusal::Link(refusal) => refusal.into(),
            SetPasswordRefusal::Password(refusal) => refusal.into(),
        }
    }
}

impl From<ConfirmRefusal> for Refusal {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::Link(refusal) => refusal.into(),
            ConfirmRefusal::Password(refusal) => refusal.into(),
            ConfirmRefusal::NotTheirs => {
                invalid("The password is not taken.").field("password", &refusal.to_string()).into()
            }
            ConfirmRefusal::Throttled(throttled) => throttled.into(),
        }
    }
}

pub(super) fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Something needs correcting", detail)
        .next("Correct the fields named and send it again.")
}

/// Words that must be there, `most` characters at most.
pub(super) fn words(problem: &mut Option<Problem>, field: &str, text: &str, most: usize) -> String {
    let text = text.trim();
    let wrong = if text.is_empty() {
        Some("Fill this in.".to_owned())
    } else if text.chars().count() > most {
        Some(format!("{most} characters at most."))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let so_far = problem.take().unwrap_or_else(|| invalid("Some fields cannot be taken as they are."));
        *problem = Some(so_far.field(field, &wrong));
    }
    text.to_owned()
}
