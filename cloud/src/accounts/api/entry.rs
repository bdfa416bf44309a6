//! Before somebody is signed in: signing up, confirming, passwords.

use axum::extract::State;
use gatelodge_proto::identity::EmailAddress;
use http::StatusCode;
use serde::Deserialize;

use super::refusal::{Refusal, words};
use crate::{
    accounts::{
        model::Network,
        recover,
        sign_up::{self, Application},
        tokens::Secret,
    },
    kits::Kits,
    web::Call,
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUp {
    company: String,
    name: String,
    email: EmailAddress,
    /// `en` or `fr`; English when absent.
    #[serde(default)]
    language: Option<String>,
}

/// Signs an installer up; a link goes to the address. The answer does not tell which addresses are known.
#[utoipa::path(post, path = "/api/v1/sign-up", tag = "sign-up", security(()), request_body = SignUp,
    responses((status = 202, description = "A mail is on its way")))]
pub(super) async fn sign_up(
    State(kits): State<Kits>,
    network: Network,
    Call(form): Call<SignUp>,
) -> Result<StatusCode, Refusal> {
    let mut problem = None;
    let company = words(&mut problem, "company", &form.company, 120);
    let name = words(&mut problem, "name", &form.name, 120);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let language = form.language.and_then(|tag| tag.parse().ok()).unwrap_or_default();
    let application = Application { company: &company, name: &name, email: &form.email, language };
    sign_up::sign_up(&kits, &network, &application).await??;
    Ok(StatusCode::ACCEPTED)
}

/// Confirms an installer's address: the password is chosen here, or is the account's own when the address has one.
#[utoipa::path(post, path = "/api/v1/sign-up/confirm", tag = "sign-up", security(()), request_body = PasswordByLink,
    responses((status = 204), (status = 410, description = "The link does not work"),
        (status = 422, description = "The password is not taken; the link still works")))]
pub(super) async fn confirm_email(
    State(kits): State<Kits>,
    Call(by_link): Call<PasswordByLink>,
) -> Result<StatusCode, Refusal> {
    let secret: Secret = by_link.token.parse()?;
    sign_up::confirm(&kits, &secret, &by_link.password).await??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgotten {
    email: EmailAddress,
}

/// Mails a link to choose a password, if the address is known; the answer does not tell.
#[utoipa::path(post, path = "/api/v1/password/forgotten", tag = "sign-in", security(()), request_body = Forgotten,
    responses((status = 202, description = "If the address is known, a mail is on its way")))]
pub(super) async fn forgotten_password(
    State(kits): State<Kits>,
    network: Network,
    Call(form): Call<Forgotten>,
) -> Result<StatusCode, Refusal> {
    recover::forgotten(&kits, &network, &form.email).await??;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordByLink {
    /// What follows `#` in the link.
    token: String,
    password: String,
}

/// Chooses a password by the link in the mail.
#[utoipa::path(post, path = "/api/v1/password", tag = "sign-in", security(()), request_body = PasswordByLink,
    responses((status = 204), (status = 410, description = "The link does not work")))]
pub(super) async fn set_password(
    State(kits): State<Kits>,
    Call(by_link): Call<PasswordByLink>,
) -> Result<StatusCode, Refusal> {
    let secret: Secret = by_link.token.parse()?;
    recover::set_password(&kits, &secret, &by_link.password).await??;
    Ok(StatusCode::NO_CONTENT)
}
