//! The pages of recordings. Their bytes are given as bytes alone, to be decrypted in the reader's browser.

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::FlowId;
use http::header;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::{
    model::Recording,
    service::{self, NotGiven},
};
use crate::{
    accounts::{
        SignedIn,
        model::{OrganisationKind, Role},
        recording_key::{self, SetRefusal, WrappedKey},
        rights::OrganisationAdministrator,
    },
    kits::Kits,
    render::{
        Html, flashes,
        pages::{RecordingRow, Recordings, Replay},
        paths,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

const PAGE: i64 = 50;

/// The portal's routes of this feature.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::RECORDINGS, get(list))
        .route(paths::RECORDING_KEY, post(set_key))
        .route(paths::RECORDING, get(replay))
        .route(paths::OPEN_RECORDING, post(open))
}

fn row(recording: Recording) -> RecordingRow {
    RecordingRow {
        id: recording.id.to_string(),
        device_name: recording.device_name,
        technician: recording.technician,
        organisation: recording.organisation,
        begun_at: recording.begun_at,
        bytes: recording.bytes,
        cut_short: recording.cut_short,
    }
}

/// Only these have recordings, and keys for them.
fn reader(by: &SignedIn) -> Result<(), Fault> {
    match by.member().kind {
        OrganisationKind::Installer | OrganisationKind::Customer => Ok(()),
        OrganisationKind::Vendor | OrganisationKind::Reseller => Err(Fault::not_found()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: String,
    session: String,
}

async fn list(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Query(ListQuery { cursor, session }): Query<ListQuery>,
) -> Result<Html<Recordings>, Fault> {
    reader(&by)?;
    let (before, session) = (cursor.parse().ok(), session.parse().ok());
    let found = service::list(&kits, by.member(), session, before, PAGE).await?;
    let full = session.is_none() && found.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let next_cursor = found.last().filter(|_| full).map(|recording| recording.id.to_string());
    let has_key = !recording_key::of_organisation(&kits, by.member()).await?.is_empty();
    Ok(Html(Recordings {
        page: visitor.page(kits.now()).signed_in(by.who()),
        recordings: found.into_iter().map(row).collect(),
        next_cursor,
        has_key,
        may_set: by.member().role == Role::Administrator,
    }))
}

async fn replay(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(id): Named<FlowId>,
) -> Result<Html<Replay>, Fault> {
    let recording = service::one(&kits, by.member(), id).await?.ok_or_else(Fault::not_found)?;
    let keys = recording_key::of_organisation(&kits, by.member()).await?;
    let keys = serde_json::to_string(&keys).map_err(|_| Fault::broken())?;
    Ok(Html(Replay { page: visitor.page(kits.now()).signed_in(by.who()), recording: row(recording), keys }))
}

async fn open(State(kits): State<Kits>, by: SignedIn, Named(id): Named<FlowId>) -> Result<Response, Fault> {
    let file = service::open(&kits, by.member(), id).await?;
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    let named = format!("attachment; filename=\"{id}.rec\"");
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, named.as_str())];
    Ok((headers, body).into_response())
}

impl From<NotGiven> for Fault {
    fn from(refusal: NotGiven) -> Self {
        match refusal {
            NotGiven::Unknown => Self::not_found(),
            NotGiven::Disk(error) => {
                tracing::error!(%error, "a recording cannot be read");
                Self::broken()
            }
            NotGiven::Database(error) => error.into(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyForm {
    public_key: String,
    salt: String,
    rounds: String,
    nonce: String,
    wrapped: String,
}

async fn set_key(
    State(kits): State<Kits>,
    by: OrganisationAdministrator,
    Form(form): Form<KeyForm>,
) -> Result<Response, Fault> {
    reader(by.signed_in())?;
    let KeyForm { public_key, salt, rounds, nonce, wrapped } = form;
    let key = WrappedKey {
        public_key: public_key.parse().map_err(|_| Fault::bad_form())?,
        salt,
        rounds: rounds.parse().map_err(|_| Fault::bad_form())?,
        nonce,
        wrapped,
    };
    match recording_key::set(&kits, &by, key).await {
        Ok(()) => Ok((flash(flashes::RECORDING_KEY_SET), Redirect::to(paths::RECORDINGS)).into_response()),
        Err(SetRefusal::Key(_) | SetRefusal::Known) => Err(Fault::bad_form()),
        Err(SetRefusal::Database(error)) => Err(error.into()),
    }
}
