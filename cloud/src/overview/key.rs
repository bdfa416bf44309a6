//! The page of the customer's key: offered, compared at the device, pinned, and taken away by itself.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use gatelodge_proto::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    accounts::{
        SignedIn,
        model::OrganisationKind,
        rights::CustomerMember,
        second_factor::{Begun, FactorRefusal},
        tokens::Secret,
    },
    activation::service as registrations,
    i18n::{Explain, Phrase},
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{DeviceKey, KeyShown},
        paths,
    },
    sessions::key::{KeyRefusal, begin, begin_release, of, offer, release},
    web::{Fault, Form, Named, Visitor, flash},
};

/// The routes.
pub fn routes() -> Router<Kits> {
    Router::new()
        .route(paths::DEVICE_KEY, get(page).post(offer_key))
        .route(paths::DEVICE_KEY_BEGIN, post(begin_offer))
        .route(paths::RELEASE_KEY, post(release_key))
        .route(paths::RELEASE_KEY_BEGIN, post(begin_key_release))
}

impl Explain for KeyRefusal {
    fn explain(&self) -> Phrase {
        match self {
            Self::Pinned => Phrase::new("refused-key-pinned"),
            Self::NoKey => Phrase::new("refused-key-none"),
            Self::Factor(refusal) => refusal.explain(),
            Self::Kind => Phrase::new("refused-key-kind"),
            Self::NotSigned(_) => Phrase::new("refused-key-not-signed"),
            Self::Late => Phrase::new("refused-rule-late"),
            Self::TooLong => Phrase::new("refused-rule-too-long"),
            Self::Unknown | Self::Database(_) => Phrase::new("fault-broken-what"),
        }
    }
}

impl From<KeyRefusal> for Fault {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::Unknown => Self::not_found(),
            KeyRefusal::Database(error) => error.into(),
            KeyRefusal::Factor(refusal) => refusal.into(),
            KeyRefusal::Pinned
            | KeyRefusal::NoKey
            | KeyRefusal::Kind
            | KeyRefusal::Late
            | KeyRefusal::TooLong
            | KeyRefusal::NotSigned(_) => Self::changed().because(refusal.explain()),
        }
    }
}

async fn page(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(device): Named<DeviceId>,
) -> Result<Html<DeviceKey>, Fault> {
    shown(&visitor, &kits, &by, device, Refusals::none()).await
}

async fn shown(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    device: DeviceId,
    refusals: Refusals,
) -> Result<Html<DeviceKey>, Fault> {
    if by.member().kind != OrganisationKind::Customer {
        return Err(Fault::not_found());
    }
    let held = of(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let view = registrations::one(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let decides = CustomerMember::try_from(by.clone()).is_ok();
    let page = visitor.page(kits.now()).signed_in(by.who());
    let offered = held.offered.map(|offered| KeyShown { digits: offered.key.fingerprint(), at: offered.at });
    let pinned = held.pinned.map(|pinned| KeyShown { digits: pinned.key.fingerprint(), at: pinned.since });
    let name = view.web_address.to_string();
    Ok(Html(DeviceKey { page, device, name, online: view.online, decides, offered, pinned, refusals }))
}

async fn begin_offer(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<Json<Begun>, Fault> {
    let view = registrations::one(&kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    Ok(Json(begin(&kits, &by, device, view.web_address.as_str()).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    ceremony: String,
    credential: String,
}

async fn offer_key(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(Made { ceremony, credential }): Form<Made>,
) -> Result<Response, Fault> {
    let outcome = match ceremony.parse::<Secret>() {
        Ok(ceremony) => offer(&kits, &by, device, &ceremony, &credential).await,
        Err(_) => Err(FactorRefusal::Stale.into()),
    };
    done(outcome, &visitor, &kits, &by, device, flashes::KEY_OFFERED).await
}

#[derive(Debug, Serialize)]
struct Options {
    options: Value,
}

async fn begin_key_release(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<Json<Options>, Fault> {
    Ok(Json(Options { options: begin_release(&kits, &by, device).await? }))
}

async fn release_key(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(Made { credential, .. }): Form<Made>,
) -> Result<Response, Fault> {
    let outcome = release(&kits, &by, device, &credential).await;
    done(outcome, &visitor, &kits, &by, device, flashes::KEY_RELEASED).await
}

/// On with the message, or the page once more with what went wrong.
async fn done(
    outcome: Result<(), KeyRefusal>,
    visitor: &Visitor,
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    said: &'static str,
) -> Result<Response, Fault> {
    match outcome {
        Ok(()) => Ok((flash(said), Redirect::to(&paths::link(paths::DEVICE_KEY, device))).into_response()),
        Err(refusal @ (KeyRefusal::Unknown | KeyRefusal::Database(_))) => Err(refusal.into()),
        Err(KeyRefusal::Factor(refusal @ FactorRefusal::Throttled(_))) => Err(refusal.into()),
        Err(refusal) => {
            let refusals = Refusals::one("", refusal.explain());
            Ok(shown(visitor, kits, by.signed_in(), device, refusals).await?.into_response())
        }
    }
}
