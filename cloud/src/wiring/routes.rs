//! Every route of every feature.

use axum::{Extension, Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::document::{self, Frame};
use crate::{
    accounts::{self, Bell},
    activation, devices, gateway,
    kits::Kits,
    overview, recordings, sessions,
};

/// The routes, before the layers of the web kit.
pub fn routes() -> Router<Kits> {
    let (api, document) = OpenApiRouter::with_openapi(Frame::openapi())
        .merge(accounts::api::routes())
        .merge(devices::api::routes())
        .merge(activation::api::routes())
        .merge(sessions::api::routes())
        .merge(recordings::api::routes())
        .merge(overview::export::calls())
        .split_for_parts();
    let document = document::with_problems(document);
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/api/openapi.json", get(|| async { Json(document) }))
        .merge(api)
        .merge(accounts::portal::routes())
        .merge(devices::portal::routes())
        .merge(activation::portal::routes())
        .merge(sessions::portal::routes())
        .merge(overview::key::routes())
        .merge(overview::rule::routes())
        .merge(gateway::portal::routes())
        .merge(gateway::terminal::portal::routes())
        .merge(gateway::finds::portal::routes())
        .merge(recordings::portal::routes())
        .merge(overview::portal::routes())
        .merge(overview::export::routes())
        .layer(Extension(Bell::new(|kits, member| async move { sessions::service::waiting(&kits, &member).await })))
}

/// Whether this node can do its work: the database answers and the registrar hears devices.
async fn ready(State(kits): State<Kits>) -> impl IntoResponse {
    let database = kits.db.ping().await.is_ok();
    let registrar = kits.endpoint.is_connected();
    let status = if database && registrar { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "database": database, "registrar": registrar })))
}
