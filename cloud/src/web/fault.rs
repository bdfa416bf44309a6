//! What a handler answers when it has no page: what happened and what to do next, in the visitor's language.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use gatelodge_proto::Timestamp;
use http::{HeaderValue, StatusCode, header};

use super::{
    Problem, Visitor,
    cookies::{FLASH, SET_COOKIE, clear_cookie, cookie},
};
use crate::{
    db::DbError,
    i18n::{Language, Phrase, say},
    render::{Html, pages::FaultPage},
};

/// A request that cannot be answered as asked. Its words are the locale keys `fault-{code}-title`, `-what`, `-next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    status: StatusCode,
    code: &'static str,
    detail: Option<Phrase>,
    retry_after_s: Option<u32>,
}

impl Fault {
    const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, detail: None, retry_after_s: None }
    }

    /// There is no such page or thing, or it is somebody else's: both look the same.
    pub const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found")
    }

    /// The person's role does not allow it.
    pub const fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden")
    }

    /// A form was posted from another site (CSRF).
    pub const fn cross_site() -> Self {
        Self::new(StatusCode::FORBIDDEN, "cross-site")
    }

    /// The form arrived incomplete or is no form.
    pub const fn bad_form() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-form")
    }

    /// More bytes than are taken.
    pub const fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")
    }

    /// The thing has changed meanwhile; looking at it again shows how.
    pub const fn changed() -> Self {
        Self::new(StatusCode::CONFLICT, "changed")
    }

    /// Too many tries; again after so many seconds.
    pub fn throttled(retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled") }
    }

    /// Something of ours is broken. The cause belongs in the log, next to the request id.
    pub const fn broken() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broken")
    }

    /// Busy or starting; again in a moment.
    pub fn unavailable() -> Self {
        Self { retry_after_s: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable") }
    }

    /// The disk is full: what takes rights away still works.
    pub fn full() -> Self {
        Self { retry_after_s: Some(30), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "full") }
    }

    /// A link in a mail that is unknown, used, expired or replaced by a newer one.
    pub const fn stale_link() -> Self {
        Self::new(StatusCode::GONE, "stale-link")
    }

    /// With the reason in this case.
    #[must_use]
    pub fn because(mut self, detail: Phrase) -> Self {
        self.detail = Some(detail);
        self
    }

    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Self { status, ..Self::forbidden() },
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::TOO_MANY_REQUESTS => Self::throttled(60),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Self { status, ..Self::unavailable() },
            StatusCode::METHOD_NOT_ALLOWED => Self { status, ..Self::not_found() },
            status if status.is_client_error() => Self { status, ..Self::bad_form() },
            status => Self { status, ..Self::broken() },
        }
    }

    fn words(&self, language: Language) -> (String, String, String) {
        let part = |part: &str| say(language, &format!("fault-{}-{part}", self.code));
        let what = self.detail.as_ref().map_or_else(|| part("what"), |detail| detail.say(language));
        (part("title"), what, part("next"))
    }

    fn dressed(&self, visitor: &Visitor, as_problem: bool, request: Option<String>) -> Response {
        let (title, what, next) = self.words(visitor.language);
        let mut response = if as_problem {
            Problem::new(self.status, &self.code.replace('-', "_"), &title, &what).next(&next).into_response()
        } else {
            let page = visitor.page(Timestamp::EPOCH);
            let request = self.status.is_server_error().then_some(request).flatten();
            (self.status, Html(FaultPage { page, status: self.status.as_u16(), title, what, next, request }))
                .into_response()
        };
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<DbError> for Fault {
    /// Busy or full passes; anything else is broken and belongs in the log.
    fn from(error: DbError) -> Self {
        if matches!(error, DbError::Full(_)) {
            return Self::full();
        }
        if error.is_passing() {
            tracing::warn!(error = &error as &dyn std::error::Error, "a request waits for the database");
            return Self::unavailable();
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a request failed on the database");
        Self::broken()
    }
}

impl IntoResponse for Fault {
    /// Only marks the answer; [`dress`] gives it its words, as it knows who asked.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives faults and bare error statuses their words, and takes back the message a page has just shown.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let visitor = Visitor::of(request.headers(), request.uri());
    let path = request.uri().path();
    let as_problem = ["/api/", "/enrol/", "/record/", "/relay/"].iter().any(|prefix| path.starts_with(prefix));
    let had_flash = cookie(request.headers(), FLASH).is_some();
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);

    let mut response = next.run(request).await;
    let status = response.status();
    let bare = (status.is_client_error() || status.is_server_error())
        && response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let fault = response.extensions_mut().remove::<Fault>().or_else(|| bare.then(|| Fault::of_status(status)));
    if let Some(fault) = fault {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = fault.dressed(&visitor, as_problem, id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let shown =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if had_flash
        && shown
        && let Ok(cleared) = HeaderValue::from_str(&clear_cookie(FLASH))
    {
        response.headers_mut().append(SET_COOKIE, cleared);
    }
    response
}
