//! Bodies and queries of API calls.

use axum::extract::{FromRequest, FromRequestParts, Query, Request, rejection::JsonRejection};
use bytes::Bytes;
use gatelodge_proto::payload;
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use super::Problem;

/// The JSON body of a call, read into `T`. What cannot be read is answered as a problem that says where.
#[derive(Debug, Clone, Copy)]
pub struct Call<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let bytes = bytes.map_err(|rejection| bad_body(&rejection.into()))?;
        if payload::has_nul(&bytes) {
            let what = "A text in the body has a NUL character, which none may have.";
            return Err(
                Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "The body does not fit", what).next(AGAIN)
            );
        }
        match axum::Json::<T>::from_request(Request::from_parts(parts, bytes.into()), state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(bad_body(&rejection)),
        }
    }
}

const AGAIN: &str = "Compare the body with the API's document and send it again.";

fn bad_body(rejection: &JsonRejection) -> Problem {
    let status = match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let (title, next) = if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        ("Not JSON", "Send the body with `Content-Type: application/json`.")
    } else {
        ("The body does not fit", AGAIN)
    };
    Problem::new(status, "invalid_body", title, &rejection.body_text()).next(next)
}

/// The query of a call, read into `T`. What cannot be read is answered as a problem that says which part.
#[derive(Debug, Clone, Copy)]
pub struct Narrowed<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Narrowed<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let detail = rejection.body_text();
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "The query cannot be read", &detail)
                    .next("Compare the query with the API's document and send it again."))
            }
        }
    }
}
