//! Own factors: authenticator app, passkeys, recovery codes.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    accounts::{
        SignedIn,
        rights::InstallerMember,
        second_factor::{self as factors, AppUnderWay, Begun, FactorRefusal, PasskeyId, Proven, RecoveryCode},
        tokens::Secret,
    },
    config::SecondFactor,
    i18n::{Explain as _, Phrase},
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{AddApp, MySecondFactor, PasskeyRow, RecoveryCodes},
        paths,
    },
    web::{Fault, Form, Visitor, flash},
};

/// The longest name of a passkey.
const NAME: usize = 60;

pub(super) async fn page(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
) -> Result<Html<MySecondFactor>, Fault> {
    shown(&visitor, &kits, &by, Refusals::none()).await
}

async fn shown(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    refusals: Refusals,
) -> Result<Html<MySecondFactor>, Fault> {
    let known = factors::factors(kits, by.member().user_id).await?;
    let opens = InstallerMember::try_from(by.clone()).is_ok();
    let needed = opens && !known.any() && kits.config.sessions.second_factor == SecondFactor::Required;
    let rows = known.passkeys.into_iter().map(|passkey| PasskeyRow {
        id: passkey.id.0.to_string(),
        name: passkey.name,
        created_at: passkey.created_at,
        used_at: passkey.used_at,
    });
    let page = visitor.page(kits.now()).signed_in(by.who());
    let (app, recovery_codes) = (known.app, known.recovery_codes);
    Ok(Html(MySecondFactor { page, app, passkeys: rows.collect(), recovery_codes, needed, refusals }))
}

/// The codes that were just made, or on with the message that all is done.
fn done(visitor: &Visitor, kits: &Kits, by: &SignedIn, codes: &[RecoveryCode]) -> Response {
    if codes.is_empty() {
        return (flash(flashes::FACTOR_ADDED), Redirect::to(paths::SECOND_FACTOR)).into_response();
    }
    let page = visitor.page(kits.now()).signed_in(by.who());
    Html(RecoveryCodes { page, codes: codes.iter().map(ToString::to_string).collect() }).into_response()
}

fn app_page(
    visitor: &Visitor,
    kits: &Kits,
    by: &Proven,
    app: &AppUnderWay,
    refusals: Refusals,
) -> Result<Response, Fault> {
    let uri = app.uri(kits, &by.member().email);
    let square = QrCode::with_error_correction_level(uri, EcLevel::M).map_err(|error| {
        tracing::error!(%error, "a square code could not be drawn");
        Fault::broken()
    })?;
    let square: String = square.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    let square = square.split_once("?>").map_or(square.as_str(), |(_, svg)| svg).to_owned();
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let (ceremony, secret) = (app.ceremony.expose(), app.secret.text());
    Ok(Html(AddApp { page, ceremony, secret, square, refusals }).into_response())
}

pub(super) async fn add_app(visitor: Visitor, State(kits): State<Kits>, by: Proven) -> Result<Response, Fault> {
    let app = factors::begin_app(&kits, &by).await?;
    app_page(&visitor, &kits, &by, &app, Refusals::none())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AppForm {
    ceremony: String,
    code: String,
}

pub(super) async fn confirm_app(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: Proven,
    Form(AppForm { ceremony, code }): Form<AppForm>,
) -> Result<Response, Fault> {
    let under_way = match ceremony.parse::<Secret>() {
        Ok(ceremony) => factors::app_under_way(&kits, &by, ceremony).await?,
        Err(_) => None,
    };
    let Some(app) = under_way else { return again(&visitor, &kits, &by, FactorRefusal::Stale).await };
    match factors::add_app(&kits, &by, &app, &code).await? {
        Ok(codes) => Ok(done(&visitor, &kits, by.signed_in(), &codes)),
        Err(FactorRefusal::WrongCode) => {
            app_page(&visitor, &kits, &by, &app, Refusals::one("code", Phrase::new("refused-app-code")))
        }
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}

/// The page once more, with what went wrong.
async fn again(visitor: &Visitor, kits: &Kits, by: &Proven, refusal: FactorRefusal) -> Result<Response, Fault> {
    if let FactorRefusal::Throttled(throttled) = refusal {
        return Err(throttled.into());
    }
    if refusal == FactorRefusal::Unknown {
        return Err(Fault::not_found());
    }
    let refusals = Refusals::one("", refusal.explain());
    Ok(shown(visitor, kits, by.signed_in(), refusals).await?.into_response())
}

pub(super) async fn remove_app(visitor: Visitor, State(kits): State<Kits>, by: Proven) -> Result<Response, Fault> {
    match factors::remove_app(&kits, &by).await? {
        Ok(()) => Ok((flash(flashes::FACTOR_REMOVED), Redirect::to(paths::SECOND_FACTOR)).into_response()),
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}

pub(super) async fn recovery_codes(visitor: Visitor, State(kits): State<Kits>, by: Proven) -> Result<Response, Fault> {
    match factors::make_recovery_codes(&kits, &by).await? {
        Ok(codes) => Ok(done(&visitor, &kits, by.signed_in(), &codes)),
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}

pub(super) async fn begin_passkey(State(kits): State<Kits>, by: Proven) -> Result<Json<Begun>, Fault> {
    Ok(Json(factors::begin_passkey(&kits, &by).await??))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PasskeyForm {
    ceremony: String,
    credential: String,
    name: String,
}

pub(super) async fn add_passkey(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: Proven,
    Form(PasskeyForm { ceremony, credential, name }): Form<PasskeyForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let Some(name) = refusals.words("name", &name, NAME) else {
        return Ok(shown(&visitor, &kits, by.signed_in(), refusals).await?.into_response());
    };
    let Ok(ceremony) = ceremony.parse::<Secret>() else {
        return again(&visitor, &kits, &by, FactorRefusal::Stale).await;
    };
    match factors::add_passkey(&kits, &by, &ceremony, &credential, &name).await? {
        Ok(codes) => Ok(done(&visitor, &kits, by.signed_in(), &codes)),
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}

fn passkey(id: &str) -> Result<PasskeyId, Fault> {
    Uuid::try_parse(id).map(PasskeyId).map_err(|_| Fault::not_found())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NameForm {
    name: String,
}

pub(super) async fn rename_passkey(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: Proven,
    Path(id): Path<String>,
    Form(NameForm { name }): Form<NameForm>,
) -> Result<Response, Fault> {
    let (id, mut refusals) = (passkey(&id)?, Refusals::none());
    let Some(name) = refusals.words("name", &name, NAME) else {
        return Ok(shown(&visitor, &kits, by.signed_in(), refusals).await?.into_response());
    };
    match factors::rename_passkey(&kits, &by, id, &name).await? {
        Ok(()) => Ok((flash(flashes::PASSKEY_RENAMED), Redirect::to(paths::SECOND_FACTOR)).into_response()),
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}

pub(super) async fn remove_passkey(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: Proven,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    match factors::remove_passkey(&kits, &by, passkey(&id)?).await? {
        Ok(()) => Ok((flash(flashes::FACTOR_REMOVED), Redirect::to(paths::SECOND_FACTOR)).into_response()),
        Err(refusal) => again(&visitor, &kits, &by, refusal).await,
    }
}
