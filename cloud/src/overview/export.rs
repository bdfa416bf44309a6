//! The whole history of an organisation, read page by page: a file for spreadsheets or programs, and the API's pages.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::stream;
use gatelodge_proto::{
    DeviceId, OrganisationId, SessionId, Timestamp,
    api::{HistoryEntry, Page},
    csv,
};
use http::header;
use serde::Deserialize;
use serde_json::Value;
use time::macros::format_description;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    accounts::SignedIn,
    audit,
    db::DbError,
    kits::Kits,
    render::paths,
    sessions::model::hex,
    web::{Fault, Narrowed, Refusal},
};

/// Rows read at a time: enough to be quick, little enough to be held by every reader at once.
const PAGE: i64 = 500;

/// The files.
pub fn routes() -> Router<Kits> {
    Router::new().route(paths::HISTORY_CSV, get(as_csv)).route(paths::HISTORY_JSON, get(as_json))
}

/// The calls.
pub fn calls() -> OpenApiRouter<Kits> {
    OpenApiRouter::new().routes(routes!(history_entries))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Of this device alone.
    device: Option<DeviceId>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// What happened, as far as the caller's organisation may know it, the oldest first. Ask again later with the last cursor
/// for what came since.
#[utoipa::path(get, path = "/api/v1/history", tag = "history", params(HistoryQuery), responses(
    (status = 200, body = Page<HistoryEntry>),
    (status = 400, description = "The query cannot be read"),
))]
async fn history_entries(
    State(kits): State<Kits>,
    by: SignedIn,
    Narrowed(HistoryQuery { device, cursor }): Narrowed<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Refusal> {
    let items = entries(&kits, by.member().organisation_id, device, cursor).await?;
    let next_cursor = items.last().map(|entry| entry.id.to_string());
    Ok(Json(Page { items, next_cursor }))
}

async fn entries(
    kits: &Kits,
    organisation: OrganisationId,
    device: Option<DeviceId>,
    after: Option<Uuid>,
) -> Result<Vec<HistoryEntry>, DbError> {
    let mut tx = kits.db.read().await?;
    let rows = audit::read_on(&mut tx, organisation, device, after, PAGE).await?;
    Ok(rows.into_iter().map(HistoryEntry::from).collect())
}

impl From<audit::Row> for HistoryEntry {
    fn from(row: audit::Row) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            actor_kind: row.actor_kind,
            actor: row.actor_name,
            what: row.what,
            device: row.device_id.map(DeviceId::from_uuid),
            session: row.session_id.map(SessionId::from_uuid),
            details: row.details.0,
            chain: row.chain,
            place: u64::try_from(row.place).unwrap_or(0),
            hash: hex(&row.hash),
        }
    }
}

async fn as_csv(
    State(kits): State<Kits>,
    by: SignedIn,
    Query(HistoryQuery { device, .. }): Query<HistoryQuery>,
) -> Result<Response, Fault> {
    // Spreadsheets take a file for UTF-8 by its mark alone.
    let head = format!("\u{feff}{}\r\n", csv::line(COLUMNS));
    let lines = |entry: &HistoryEntry, _: bool| format!("{}\r\n", cells(entry));
    Ok(file(kits, &by, device, ("csv", "text/csv; charset=utf-8"), (head, lines, String::new())))
}

async fn as_json(
    State(kits): State<Kits>,
    by: SignedIn,
    Query(HistoryQuery { device, .. }): Query<HistoryQuery>,
) -> Result<Response, Fault> {
    let value = |entry: &HistoryEntry, first: bool| {
        format!("{}{}", if first { "" } else { ",\n" }, serde_json::to_string(entry).unwrap_or_default())
    };
    Ok(file(kits, &by, device, ("json", "application/json"), ("[".to_owned(), value, "]\n".to_owned())))
}

/// Head, one piece for each entry, and the end. What breaks on the way cuts the answer off, which its reader notices.
fn file(
    kits: Kits,
    by: &SignedIn,
    device: Option<DeviceId>,
    (suffix, content): (&'static str, &'static str),
    (head, piece, end): (String, impl Fn(&HistoryEntry, bool) -> String + Send + 'static, String),
) -> Response {
    enum At {
        Head(String),
        After(Option<Uuid>),
        Over,
    }
    let name = named(kits.now(), suffix);
    let organisation = by.member().organisation_id;
    let seed = (kits, piece, end, At::Head(head));
    let pieces = stream::try_unfold(seed, move |(kits, piece, end, at)| async move {
        let after = match at {
            At::Over => return Ok::<_, DbError>(None),
            At::Head(head) => return Ok(Some((Bytes::from(head), (kits, piece, end, At::After(None))))),
            At::After(after) => after,
        };
        let found = entries(&kits, organisation, device, after).await?;
        let Some(last) = found.last().map(|entry| entry.id) else {
            return Ok(Some((Bytes::from(end.clone()), (kits, piece, end, At::Over))));
        };
        let first = |place: usize| after.is_none() && place == 0;
        let text: String = found.iter().enumerate().map(|(place, entry)| piece(entry, first(place))).collect();
        Ok(Some((Bytes::from(text), (kits, piece, end, At::After(Some(last))))))
    });
    let headers = [
        (header::CONTENT_TYPE, content.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

fn named(now: Timestamp, suffix: &str) -> String {
    let day = now.date_time().format(format_description!("[year]-[month]-[day]")).unwrap_or_default();
    format!("gatelodge-history-{day}.{suffix}")
}

/// What a spreadsheet sorts by; whatever else a row says is in the last column but three, as JSON.
const COLUMNS: [&str; 24] = [
    "at",
    "what",
    "actor_kind",
    "actor",
    "device",
    "session",
    "technician",
    "organisation",
    "from",
    "reason",
    "ticket_number",
    "services",
    "consent",
    "until",
    "flow",
    "target",
    "outcome",
    "bytes_up",
    "bytes_down",
    "seconds",
    "more",
    "chain",
    "place",
    "hash",
];

fn cells(entry: &HistoryEntry) -> String {
    let mut details = entry.details.as_object().cloned().unwrap_or_default();
    let mut cells = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS {
        cells.push(match column {
            "at" => entry.at.to_string(),
            "what" => entry.what.clone(),
            "actor_kind" => entry.actor_kind.clone(),
            "actor" => entry.actor.clone(),
            "device" => entry.device.map(|id| id.to_string()).unwrap_or_default(),
            "session" => entry.session.map(|id| id.to_string()).unwrap_or_default(),
            "chain" => entry.chain.to_string(),
            "place" => entry.place.to_string(),
            "hash" => entry.hash.clone(),
            "more" if details.is_empty() => String::new(),
            "more" => serde_json::to_string(&details).unwrap_or_default(),
            detail => match details.remove(detail) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
            },
        });
    }
    csv::line(cells)
}
