//! The API's refusals (RFC 9457).

use axum::response::{IntoResponse, Response};
use gatelodge_proto::api;
use http::{HeaderValue, StatusCode, header};

/// `application/problem+json` with a stable code; boxed, as it travels in the error of many results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub Box<api::Problem>);

impl Problem {
    /// A problem with its status, stable code, title and what happened here.
    pub fn new(status: StatusCode, code: &str, title: &str, detail: &str) -> Self {
        Self(Box::new(api::Problem {
            kind: format!("https://gatelodge.dev/problems/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            code: code.to_owned(),
            next: None,
            fields: Vec::new(),
        }))
    }

    /// With what to do next.
    #[must_use]
    pub fn next(mut self, next: &str) -> Self {
        self.0.next = Some(next.to_owned());
        self
    }

    /// With a wrong field.
    #[must_use]
    pub fn field(mut self, field: &str, detail: &str) -> Self {
        self.0.fields.push(api::FieldProblem { field: field.to_owned(), detail: detail.to_owned() });
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.0)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
