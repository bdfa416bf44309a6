//! The second step of a sign-in, signing in by a passkey, and showing once more who one is.

use axum::{
    Json,
    extract::{Query, State},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use super::entry::Next;
use crate::{
    accounts::{
        SignedIn,
        portal_session::{self, Browser},
        second_factor::{self, Begun, FactorRefusal},
        second_step,
        sign_in::{self, Arrival, Welcome},
        tokens::Secret,
    },
    i18n::Explain as _,
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{ConfirmSelf, SecondStep, SignIn, SignInForm},
        paths,
    },
    web::{Fault, Form, Visitor, clear_cookie, cookie, flash, set_cookie},
};

/// What this browser brings along.
pub(super) struct Brought {
    known: Option<Secret>,
    previous: Option<Secret>,
    step: Option<Secret>,
}

impl Brought {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let secret = |name| cookie(headers, name).and_then(|value| value.parse::<Secret>().ok());
        Self {
            known: secret(sign_in::KNOWN_COOKIE),
            previous: secret(portal_session::COOKIE),
            step: secret(second_step::COOKIE),
        }
    }

    pub(super) const fn arrival<'a>(&'a self, browser: &'a Browser) -> Arrival<'a> {
        Arrival { browser, known: self.known.as_ref(), previous: self.previous.as_ref() }
    }
}

/// Signed in, and on to where the person wanted to be.
pub(super) fn entered(welcome: &Welcome, next: &str) -> Response {
    let session = set_cookie(portal_session::COOKIE, &welcome.session.expose(), None);
    let known = set_cookie(sign_in::KNOWN_COOKIE, &welcome.known.expose(), Some(sign_in::KNOWN_LIFE));
    let cookies =
        AppendHeaders([(SET_COOKIE, session), (SET_COOKIE, known), (SET_COOKIE, clear_cookie(second_step::COOKIE))]);
    (cookies, Redirect::to(paths::own_or_home(next))).into_response()
}

/// The password was right; the second factor is next.
pub(super) fn on_to_second_step(step: &Secret, next: &str) -> Response {
    let cookie = set_cookie(second_step::COOKIE, &step.expose(), Some(second_factor::ceremony::LIFE));
    let next: String = url::form_urlencoded::byte_serialize(paths::own_or_home(next).as_bytes()).collect();
    (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&format!("{}?next={next}", paths::SECOND_STEP)))
        .into_response()
}

/// Back to the first step: the second was too long in coming.
fn from_the_start() -> Response {
    (flash(flashes::SECOND_STEP_STALE), Redirect::to(paths::SIGN_IN)).into_response()
}

async fn step_page(
    visitor: &Visitor,
    kits: &Kits,
    brought: &Brought,
    next: String,
    refusals: Refusals,
) -> Result<Response, Fault> {
    let factors = match &brought.step {
        Some(step) => second_step::factors(kits, step).await?,
        None => None,
    };
    let Some(factors) = factors else { return Ok(from_the_start()) };
    let (app, passkeys) = (factors.app.is_some(), !factors.passkeys.is_empty());
    Ok(Html(SecondStep { page: visitor.page(kits.now()), app, passkeys, next, refusals }).into_response())
}

pub(super) async fn second_step_page(
    visitor: Visitor,
    State(kits): State<Kits>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Fault> {
    step_page(&visitor, &kits, &Brought::of(&headers), next, Refusals::none()).await
}

/// What any of these pages posts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    code: String,
    password: String,
    ceremony: String,
    credential: String,
    next: String,
}

pub(super) async fn second_step(
    visitor: Visitor,
    State(kits): State<Kits>,
    browser: Browser,
    headers: HeaderMap,
    Form(form): Form<Shown>,
) -> Result<Response, Fault> {
    let brought = Brought::of(&headers);
    let Some(step) = &brought.step else { return Ok(from_the_start()) };
    let outcome = second_step::by_code(&kits, step, &form.code, &brought.arrival(&browser)).await?;
    stepped(&visitor, &kits, &brought, form, outcome).await
}

async fn stepped(
    visitor: &Visitor,
    kits: &Kits,
    brought: &Brought,
    form: Shown,
    outcome: Result<Welcome, FactorRefusal>,
) -> Result<Response, Fault> {
    match outcome {
        Ok(welcome) => Ok(entered(&welcome, &form.next)),
        Err(FactorRefusal::Stale) => Ok(from_the_start()),
        Err(FactorRefusal::Throttled(throttled)) => Err(throttled.into()),
        Err(refusal) => {
            let field = if refusal == FactorRefusal::WrongCode { "code" } else { "" };
            step_page(visitor, kits, brought, form.next, Refusals::one(field, refusal.explain())).await
        }
    }
}

pub(super) async fn begin_second_step_passkey(
    State(kits): State<Kits>,
    headers: HeaderMap,
) -> Result<Json<Begun>, Fault> {
    let brought = Brought::of(&headers);
    let step = brought.step.as_ref().ok_or(FactorRefusal::Stale)?;
    Ok(Json(second_step::begin_passkey(&kits, step).await??))
}

pub(super) async fn second_step_passkey(
    visitor: Visitor,
    State(kits): State<Kits>,
    browser: Browser,
    headers: HeaderMap,
    Form(form): Form<Shown>,
) -> Result<Response, Fault> {
    let brought = Brought::of(&headers);
    let (Some(step), Ok(ceremony)) = (&brought.step, form.ceremony.parse::<Secret>()) else {
        return Ok(from_the_start());
    };
    let arrival = brought.arrival(&browser);
    let outcome = second_step::by_passkey(&kits, step, &ceremony, &form.credential, &arrival).await?;
    stepped(&visitor, &kits, &brought, form, outcome).await
}

pub(super) async fn begin_sign_in(
    State(kits): State<Kits>,
    browser: Browser,
    headers: HeaderMap,
) -> Result<Json<Begun>, Fault> {
    Ok(Json(second_step::begin_sign_in(&kits, &Brought::of(&headers).arrival(&browser)).await??))
}

pub(super) async fn sign_in(
    visitor: Visitor,
    State(kits): State<Kits>,
    browser: Browser,
    headers: HeaderMap,
    Form(form): Form<Shown>,
) -> Result<Response, Fault> {
    let brought = Brought::of(&headers);
    let outcome = match form.ceremony.parse::<Secret>() {
        Ok(ceremony) => second_step::sign_in(&kits, &ceremony, &form.credential, &brought.arrival(&browser)).await?,
        Err(_) => Err(FactorRefusal::Stale),
    };
    match outcome {
        Ok(welcome) => Ok(entered(&welcome, &form.next)),
        Err(FactorRefusal::Throttled(throttled)) => Err(throttled.into()),
        Err(refusal) => {
            let typed = SignInForm { next: form.next, ..SignInForm::default() };
            let refusals = Refusals::one("", refusal.explain());
            Ok(Html(SignIn { page: visitor.page(kits.now()), form: typed, refusals }).into_response())
        }
    }
}

async fn self_page(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    next: String,
    refusals: Refusals,
) -> Result<Response, Fault> {
    let factors = second_factor::factors(kits, by.member().user_id).await?;
    let page = visitor.page(kits.now()).signed_in(by.who());
    let (app, passkeys) = (factors.app.is_some(), !factors.passkeys.is_empty());
    Ok(Html(ConfirmSelf { page, app, passkeys, next, refusals }).into_response())
}

pub(super) async fn page(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Fault> {
    self_page(&visitor, &kits, &by, next, Refusals::none()).await
}

pub(super) async fn confirm(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Form(form): Form<Shown>,
) -> Result<Response, Fault> {
    let by_password = !form.password.is_empty();
    let outcome = if by_password {
        second_factor::by_password(&kits, &by, &form.password).await?
    } else {
        second_factor::by_code(&kits, &by, &form.code).await?
    };
    let outcome = match outcome {
        Err(FactorRefusal::WrongCode) if by_password => {
            let refusals = Refusals::one("password", ConfirmSelf::wrong_password());
            return self_page(&visitor, &kits, &by, form.next, refusals).await;
        }
        outcome => outcome,
    };
    confirmed(&visitor, &kits, &by, form, outcome).await
}

pub(super) async fn begin_passkey(State(kits): State<Kits>, by: SignedIn) -> Result<Json<Begun>, Fault> {
    Ok(Json(second_factor::begin_assertion(&kits, &by).await??))
}

pub(super) async fn passkey(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Form(form): Form<Shown>,
) -> Result<Response, Fault> {
    let outcome = match form.ceremony.parse::<Secret>() {
        Ok(ceremony) => second_factor::by_passkey(&kits, &by, &ceremony, &form.credential).await?,
        Err(_) => Err(FactorRefusal::Stale),
    };
    confirmed(&visitor, &kits, &by, form, outcome).await
}

async fn confirmed(
    visitor: &Visitor,
    kits: &Kits,
    by: &SignedIn,
    form: Shown,
    outcome: Result<(), FactorRefusal>,
) -> Result<Response, Fault> {
    match outcome {
        Ok(()) => Ok((flash(flashes::CONFIRMED), Redirect::to(paths::own_or_home(&form.next))).into_response()),
        Err(FactorRefusal::Throttled(throttled)) => Err(throttled.into()),
        Err(refusal) => {
            let field = if refusal == FactorRefusal::WrongCode { "code" } else { "" };
            self_page(visitor, kits, by, form.next, Refusals::one(field, refusal.explain())).await
        }
    }
}
