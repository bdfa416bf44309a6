//! A program asks to sign in; a person compares the code and says yes or no.

use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    accounts::{
        By, SignedIn,
        model::OrganisationKind,
        program_sign_in::{self, Decision, UserCode},
        second_factor::{self, SecondFactorNeeded},
    },
    kits::Kits,
    render::{
        Html, Refusals,
        pages::{ApproveDone, ApproveSignIn, AskedSignIn},
        paths,
    },
    web::{Fault, Form, Visitor},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    code: String,
}

pub(super) async fn ask(
    visitor: Visitor,
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Query(Typed { code }): Query<Typed>,
) -> Result<Response, Fault> {
    if let Some(elsewhere) = confirm_first(&kits, &signed_in, &code).await? {
        return Ok(elsewhere.into_response());
    }
    let page = visitor.page(kits.now()).signed_in(signed_in.who());
    if code.is_empty() {
        return Ok(Html(ApproveSignIn { page, asked: None, typed: code, refusals: Refusals::none() }).into_response());
    }
    let request = match code.parse::<UserCode>() {
        Ok(code) => program_sign_in::look_up(&kits, signed_in.member(), &code).await??,
        Err(_) => None,
    };
    let asked = request.map(|request| AskedSignIn {
        user_code: request.user_code.to_string(),
        network: request.network,
        asked_at: request.asked_at,
    });
    let refusals = match asked {
        Some(_) => Refusals::none(),
        None => Refusals::one("code", ApproveSignIn::unknown_code()),
    };
    Ok(Html(ApproveSignIn { page, asked, typed: code, refusals }).into_response())
}

/// A program counts as confirmed like the browser that lets it in: whoever has a second factor shows it first, and
/// whoever needs one sets it up.
async fn confirm_first(kits: &Kits, by: &SignedIn, code: &str) -> Result<Option<Redirect>, Fault> {
    let mut tx = kits.db.read().await?;
    let opens = by.member().kind == OrganisationKind::Installer;
    Ok(match second_factor::check(&mut tx, kits, by).await? {
        Err(SecondFactorNeeded::NotConfirmed(_)) => {
            let code: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
            Some(Redirect::to(&paths::confirm_self(&format!("{}?code={code}", paths::APPROVE))))
        }
        Err(SecondFactorNeeded::NotSetUp) if opens => Some(Redirect::to(paths::SECOND_FACTOR)),
        Err(SecondFactorNeeded::NotSetUp) | Ok(()) => None,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DecisionForm {
    user_code: String,
    decision: String,
}

pub(super) async fn decide(
    visitor: Visitor,
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Form(form): Form<DecisionForm>,
) -> Result<Response, Fault> {
    // A token that let further programs in would outlive its own end.
    if matches!(signed_in.by(), By::Program(_)) {
        return Err(Fault::forbidden());
    }
    let decision = match form.decision.as_str() {
        "approve" => Decision::Approve,
        "refuse" => Decision::Refuse,
        _ => return Err(Fault::bad_form()),
    };
    let page = visitor.page(kits.now()).signed_in(signed_in.who());
    let decided = match form.user_code.parse::<UserCode>() {
        Ok(code) => {
            program_sign_in::decide(&kits, signed_in.member(), &code, decision, signed_in.confirmed_at()).await?
        }
        Err(_) => false,
    };
    if decided {
        return Ok(Html(ApproveDone { page, approved: decision == Decision::Approve }).into_response());
    }
    let refusals = Refusals::one("code", ApproveSignIn::unknown_code());
    Ok(Html(ApproveSignIn { page, asked: None, typed: form.user_code, refusals }).into_response())
}
