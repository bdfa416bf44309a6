//! Posted forms.

use axum::extract::{FromRequest, Request};
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
        match axum_extra::extract::Form::<T>::from_request(request, state).await {
            Ok(axum_extra::extract::Form(form)) => Ok(Self(form)),
            Err(rejection) => {
                tracing::debug!(%rejection, "a form could not be read");
                let status = axum::response::IntoResponse::into_response(rejection).status();
                Err(if status == StatusCode::PAYLOAD_TOO_LARGE { Fault::too_large() } else { Fault::bad_form() })
            }
        }
    }
}
