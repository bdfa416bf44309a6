//! Before somebody is signed in. Links in mails open pages that change nothing; a press on their button does.

use axum::{
    extract::{Query, State},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use gatelodge_proto::identity::EmailAddress;
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use super::confirm_self::{Brought, entered, on_to_second_step};
use crate::{
    accounts::{
        NotSignedIn, SignedIn,
        model::Network,
        portal_session::{self, Browser},
        recover::{self, SetPasswordRefusal},
        sign_in::{self, Credentials, Progress, SignInRefusal},
        sign_up::{self, Application, ConfirmRefusal},
        tokens::{Secret, TokenRefusal},
    },
    i18n::Explain as _,
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{
            AddOrganisation, ConfirmEmail, ForgottenPassword, LookInMail, SetPassword, SignIn, SignInForm, SignUp,
            SignUpForm,
        },
        paths,
    },
    web::{Fault, Form, Visitor, clear_cookie, cookie, flash},
};

/// The longest name of a person or company.
pub(super) const NAME: usize = 120;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
}

pub(super) async fn sign_in_page(
    visitor: Visitor,
    State(kits): State<Kits>,
    already: Result<SignedIn, NotSignedIn>,
    Query(Next { next }): Query<Next>,
) -> Response {
    if already.is_ok() {
        return Redirect::to(paths::own_or_home(&next)).into_response();
    }
    let form = SignInForm { next, ..SignInForm::default() };
    Html(SignIn { page: visitor.page(kits.now()), form, refusals: Refusals::none() }).into_response()
}

pub(super) async fn sign_in(
    visitor: Visitor,
    State(kits): State<Kits>,
    browser: Browser,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let email: Option<EmailAddress> = refusals.parse("email", &form.email);
    let again = |form: SignInForm, refusals| {
        let form = SignInForm { password: String::new(), ..form };
        Ok(Html(SignIn { page: visitor.page(kits.now()), form, refusals }).into_response())
    };
    let Some(email) = email else { return again(form, refusals) };
    let brought = Brought::of(&headers);
    let credentials = Credentials { email: &email, password: &form.password, arrival: brought.arrival(&browser) };
    match sign_in::sign_in(&kits, &credentials).await? {
        Ok(Progress::Done(welcome)) => Ok(entered(&welcome, &form.next)),
        Ok(Progress::SecondStep(step)) => Ok(on_to_second_step(&step, &form.next)),
        Err(SignInRefusal::WrongPair) => again(form, Refusals::one("", SignIn::wrong_pair())),
        Err(SignInRefusal::Throttled(throttled)) => Err(throttled.into()),
    }
}

pub(super) async fn sign_out(State(kits): State<Kits>, headers: HeaderMap) -> Result<Response, Fault> {
    if let Some(secret) = cookie(&headers, portal_session::COOKIE).and_then(|value| value.parse().ok()) {
        portal_session::end(&kits, &secret).await?;
    }
    let cleared = AppendHeaders([(SET_COOKIE, clear_cookie(portal_session::COOKIE))]);
    Ok((cleared, flash(flashes::SIGNED_OUT), Redirect::to(paths::SIGN_IN)).into_response())
}

pub(super) async fn sign_up_page(visitor: Visitor, State(kits): State<Kits>) -> Html<SignUp> {
    Html(SignUp { page: visitor.page(kits.now()), form: SignUpForm::default(), refusals: Refusals::none() })
}

pub(super) async fn sign_up(
    visitor: Visitor,
    State(kits): State<Kits>,
    network: Network,
    Form(form): Form<SignUpForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let company = refusals.words("company", &form.company, NAME);
    let name = refusals.words("name", &form.name, NAME);
    let email: Option<EmailAddress> = refusals.parse("email", &form.email);
    let (Some(company), Some(name), Some(email)) = (company, name, email) else {
        return Ok(Html(SignUp { page: visitor.page(kits.now()), form, refusals }).into_response());
    };
    let application = Application { company: &company, name: &name, email: &email, language: visitor.language };
    sign_up::sign_up(&kits, &network, &application).await??;
    Ok(Redirect::to(paths::LOOK_IN_MAIL).into_response())
}

pub(super) async fn look_in_mail(visitor: Visitor, State(kits): State<Kits>) -> Html<LookInMail> {
    Html(LookInMail { page: visitor.page(kits.now()) })
}

pub(super) async fn confirm_email_page(visitor: Visitor, State(kits): State<Kits>) -> Html<ConfirmEmail> {
    let page = visitor.page(kits.now());
    Html(ConfirmEmail { page, token: String::new(), refusals: Refusals::none() })
}

pub(super) async fn confirm_email(
    visitor: Visitor,
    State(kits): State<Kits>,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Fault> {
    let secret: Secret = form.token.parse().map_err(|_| TokenRefusal::Unknown)?;
    if form.password != form.repeated {
        let (page, refusals) = (visitor.page(kits.now()), Refusals::one("repeated", SetPassword::differs()));
        return Ok(Html(ConfirmEmail { page, token: form.token, refusals }).into_response());
    }
    let Err(refusal) = sign_up::confirm(&kits, &secret, &form.password).await? else {
        return Ok((flash(flashes::EMAIL_CONFIRMED), Redirect::to(paths::SIGN_IN)).into_response());
    };
    let page = visitor.page(kits.now());
    match refusal {
        ConfirmRefusal::Link(refusal) => Err(refusal.into()),
        ConfirmRefusal::Throttled(throttled) => Err(throttled.into()),
        ConfirmRefusal::Password(refusal) => {
            let refusals = Refusals::one("password", refusal.explain());
            Ok(Html(ConfirmEmail { page, token: form.token, refusals }).into_response())
        }
        ConfirmRefusal::NotTheirs => {
            let refusals = Refusals::one("password", AddOrganisation::not_theirs());
            Ok(Html(AddOrganisation { page, token: form.token, refusals }).into_response())
        }
    }
}

pub(super) async fn add_organisation_page(visitor: Visitor, State(kits): State<Kits>) -> Html<AddOrganisation> {
    let page = visitor.page(kits.now());
    Html(AddOrganisation { page, token: String::new(), refusals: Refusals::none() })
}

pub(super) async fn add_organisation(
    visitor: Visitor,
    State(kits): State<Kits>,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Fault> {
    let secret: Secret = form.token.parse().map_err(|_| TokenRefusal::Unknown)?;
    let Err(refusal) = sign_up::confirm(&kits, &secret, &form.password).await? else {
        return Ok((flash(flashes::ORGANISATION_ADDED), Redirect::to(paths::MY_SIGN_INS)).into_response());
    };
    let why = match refusal {
        ConfirmRefusal::Link(refusal) => return Err(refusal.into()),
        ConfirmRefusal::Throttled(throttled) => return Err(throttled.into()),
        ConfirmRefusal::Password(refusal) => refusal.explain(),
        ConfirmRefusal::NotTheirs => AddOrganisation::not_theirs(),
    };
    let (page, refusals) = (visitor.page(kits.now()), Refusals::one("password", why));
    Ok(Html(AddOrganisation { page, token: form.token, refusals }).into_response())
}

pub(super) async fn forgotten_page(visitor: Visitor, State(kits): State<Kits>) -> Html<ForgottenPassword> {
    let page = visitor.page(kits.now());
    Html(ForgottenPassword { page, email: String::new(), refusals: Refusals::none() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ForgottenForm {
    email: String,
}

pub(super) async fn forgotten(
    visitor: Visitor,
    State(kits): State<Kits>,
    network: Network,
    Form(form): Form<ForgottenForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let Some(email) = refusals.parse("email", &form.email) else {
        let page = visitor.page(kits.now());
        return Ok(Html(ForgottenPassword { page, email: form.email, refusals }).into_response());
    };
    recover::forgotten(&kits, &network, &email).await??;
    Ok(Redirect::to(paths::LOOK_IN_MAIL).into_response())
}

pub(super) async fn set_password_page(visitor: Visitor, State(kits): State<Kits>) -> Html<SetPassword> {
    Html(SetPassword { page: visitor.page(kits.now()), token: String::new(), refusals: Refusals::none() })
}

/// A password by the link in a mail; `repeated` where it is chosen.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PasswordForm {
    token: String,
    password: String,
    repeated: String,
}

pub(super) async fn set_password(
    visitor: Visitor,
    State(kits): State<Kits>,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Fault> {
    let secret: Secret = form.token.parse().map_err(|_| TokenRefusal::Unknown)?;
    let mut refusals = Refusals::none();
    if form.password == form.repeated {
        match recover::set_password(&kits, &secret, &form.password).await? {
            Ok(_) => return Ok((flash(flashes::PASSWORD_SET), Redirect::to(paths::SIGN_IN)).into_response()),
            Err(SetPasswordRefusal::Link(refusal)) => return Err(refusal.into()),
            Err(SetPasswordRefusal::Password(refusal)) => refusals.add("password", refusal.explain()),
        }
    } else {
        refusals.add("repeated", SetPassword::differs());
    }
    Ok(Html(SetPassword { page: visitor.page(kits.now()), token: form.token, refusals }).into_response())
}
