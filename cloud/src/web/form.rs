//! Posted forms.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    response::IntoResponse as _,
};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::Fault;

/// A posted form as its plain texts. `T` has `String` fields with `#[serde(default)]`, so that whatever a person
/// typed arrives and can be shown again beside what is wrong with it; repeated fields go into a `Vec`.
#[derive(Debug, Clone, Copy)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let whole = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let whole = whole.map_err(|rejection| fault(rejection.into_response().status()))?;
        // Nobody types one, and PostgreSQL keeps none.
        if has_nul(&whole) {
            return Err(Fault::bad_form());
        }
        let request = Request::from_parts(parts, Body::from(whole));
        match axum_extra::extract::Form::<T>::from_request(request, state).await {
            Ok(axum_extra::extract::Form(form)) => Ok(Self(form)),
            Err(rejection) => {
                tracing::debug!(%rejection, "a form could not be read");
                Err(fault(rejection.into_response().status()))
            }
        }
    }
}

fn fault(status: StatusCode) -> Fault {
    if status == StatusCode::PAYLOAD_TOO_LARGE { Fault::too_large() } else { Fault::bad_form() }
}

/// Whether percent-encoded text has a NUL character.
pub(super) fn has_nul(encoded: &[u8]) -> bool {
    encoded.contains(&0) || encoded.windows(3).any(|three| three == b"%00")
}
