//! What surrounds every route.

use std::{any::Any, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, header};
use tower_http::{
    catch_panic::CatchPanicLayer,
    csrf::{ConfigError, CsrfLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::{RequestBodyDeadlineLayer, TimeoutLayer},
    trace::TraceLayer,
};

use super::{Fault, assets, fault, form::has_nul, preferences};
use crate::render::paths;

/// The largest form, in bytes; the default of every route.
pub const FORM_BODY_BYTES: usize = 64 * 1024;
/// The largest API request, in bytes: `.layer(DefaultBodyLimit::max(API_BODY_BYTES))` on the API's routes.
pub const API_BODY_BYTES: usize = 1024 * 1024;

const HANDLING: Duration = Duration::from_secs(30);
/// A body that is not whole by then is answered as half a body: that is its sender's fault, not ours.
const BODY: Duration = Duration::from_secs(25);
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";

/// How the portal is reached, as far as the layers care.
#[derive(Debug, Clone, Default)]
pub struct Hardening {
    /// Browsers come by HTTPS, so they may be told to stay there (HSTS, RFC 6797).
    pub https: bool,
    /// The public origin (`https://portal.example`), when a proxy in front changes the `Host` header.
    pub public_origin: Option<String>,
}

/// Puts the layers around the features' routes and adds the kit's own: `/assets`, `/favicon.ico`, `/preferences`,
/// and the page for whatever is not there.
pub fn portal(features: Router, hardening: &Hardening) -> Result<Router, ConfigError> {
    let mut csrf = CsrfLayer::new();
    if let Some(origin) = &hardening.public_origin {
        csrf = csrf.add_trusted_origin(origin)?;
    }
    let https = hardening.https;
    Ok(features
        .route("/assets/{*name}", get(assets::serve_asset))
        .route("/favicon.ico", get(assets::favicon))
        .route(paths::PREFERENCES, post(preferences::choose))
        .fallback(|| async { Fault::not_found() })
        .layer(DefaultBodyLimit::max(FORM_BODY_BYTES))
        .layer(RequestBodyDeadlineLayer::new(BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, HANDLING))
        .layer(csrf.with_rejection_response(|_| Fault::cross_site().into_response()))
        .layer(from_fn(without_nul))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(fault::dress))
        .layer(from_fn(move |request: Request, next: Next| async move { harden(https, next.run(request).await) }))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid)))
}

/// No page and no search has a NUL character in its address, and PostgreSQL takes none.
async fn without_nul(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let has_nul = [Some(uri.path()), uri.query()].into_iter().flatten().any(|part| has_nul(part.as_bytes()));
    if has_nul { Fault::not_found().into_response() } else { next.run(request).await }
}

/// The query stays out of the log: it may hold what a person searched for.
fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over by value")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a handler panicked");
    Fault::broken().into_response()
}

fn harden(https: bool, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut default = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::CONTENT_SECURITY_POLICY, POLICY);
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::CACHE_CONTROL, "no-store");
    default(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if https {
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
