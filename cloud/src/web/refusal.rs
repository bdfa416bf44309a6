//! A call of the API that is not answered as asked.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::{Fault, Problem};
use crate::db::DbError;

/// Why a call is not answered as asked: what the caller can mend, or a fault that any page may have, too.
#[derive(Debug)]
pub enum Refusal {
    /// With what to mend.
    Problem(Problem),
    /// The same, worth another try after so many seconds.
    Later(Problem, u32),
    /// Missing, forbidden, broken or busy.
    Fault(Fault),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Later(problem, seconds) => {
                let mut response = problem.into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            Self::Fault(fault) => fault.into_response(),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}
