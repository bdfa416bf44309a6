//! Own data: the person, their organisation, and where they are signed in.

use axum::{
    extract::{Path, State},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use http::header::SET_COOKIE;
use serde::Deserialize;
use uuid::Uuid;

use super::entry::NAME;
use crate::{
    accounts::{
        By, SignedIn, api_token,
        model::{ApiTokenId, Organisation, PortalSessionId, PostalAddress},
        portal_session,
        rights::OrganisationAdministrator,
        service,
    },
    i18n::{Language, Phrase},
    kits::Kits,
    render::{
        Html, Page, Refusals, flashes,
        pages::{
            BrowserRow, MembershipRow, MyData, MyDataForm, MyOrganisation, MyOrganisationForm, MySignIns, ProgramRow,
        },
        paths,
    },
    web::{Fault, Form, Visitor, flash, set_cookie},
};

pub(super) async fn page(
    visitor: Visitor,
    State(kits): State<Kits>,
    signed_in: SignedIn,
) -> Result<Html<MyData>, Fault> {
    let page = visitor.page(kits.now()).signed_in(signed_in.who());
    my_data(&kits, &signed_in, page, None).await
}

/// The page as it is, or with what was typed and what is wrong with it.
async fn my_data(
    kits: &Kits,
    signed_in: &SignedIn,
    page: Page,
    typed: Option<(MyDataForm, Refusals)>,
) -> Result<Html<MyData>, Fault> {
    let member = signed_in.member();
    let mut tx = kits.db.read().await?;
    let user = service::user(&mut tx, member.user_id).await?.ok_or_else(Fault::not_found)?;
    let organisation = service::organisation(&mut tx, member.organisation_id).await?.ok_or_else(Fault::not_found)?;
    let (form, refusals) = typed.unwrap_or_else(|| {
        let known = MyDataForm {
            name: user.name,
            phone: user.phone.unwrap_or_default(),
            mail_language: user.language.tag().to_owned(),
        };
        (known, Refusals::none())
    });
    let organisation_lines = lines(&organisation.address);
    Ok(Html(MyData { page, form, refusals, organisation_lines, sign_ins: user.sign_ins, created_at: user.created_at }))
}

fn lines(address: &PostalAddress) -> Vec<String> {
    let town = [&address.postcode, &address.city].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    [address.street.clone(), Some(town), address.country.clone()]
        .into_iter()
        .flatten()
        .filter(|line| !line.is_empty())
        .collect()
}

pub(super) async fn save(
    visitor: Visitor,
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Form(form): Form<MyDataForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let name = refusals.words("name", &form.name, NAME);
    let phone = optional(&mut refusals, "phone", &form.phone, 40);
    if phone.as_deref().is_some_and(|phone| !phone.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c))) {
        refusals.add("phone", Phrase::new("refused-phone"));
    }
    let language: Option<Language> = form.mail_language.parse().ok();
    let (Some(name), Some(language), true) = (name, language, refusals.is_empty()) else {
        let page = visitor.page(kits.now()).signed_in(signed_in.who());
        return Ok(my_data(&kits, &signed_in, page, Some((form, refusals))).await?.into_response());
    };
    let user = signed_in.member().user_id;
    service::change_person(&kits, user, &name, phone.as_deref()).await?;
    service::change_language(&kits, user, language).await?;
    Ok((flash(flashes::DATA_SAVED), Redirect::to(paths::MY_DATA)).into_response())
}

fn optional(refusals: &mut Refusals, field: &'static str, text: &str, most: usize) -> Option<String> {
    if text.trim().is_empty() { None } else { refusals.words(field, text, most) }
}

pub(super) async fn organisation_page(
    visitor: Visitor,
    State(kits): State<Kits>,
    administrator: OrganisationAdministrator,
) -> Result<Html<MyOrganisation>, Fault> {
    let mut tx = kits.db.read().await?;
    let organisation = service::organisation(&mut tx, administrator.member().organisation_id).await?;
    let Organisation { name, address, .. } = organisation.ok_or_else(Fault::not_found)?;
    let form = MyOrganisationForm {
        name,
        address: address.street.unwrap_or_default(),
        postcode: address.postcode.unwrap_or_default(),
        city: address.city.unwrap_or_default(),
        country: address.country.unwrap_or_default(),
    };
    let page = visitor.page(kits.now()).signed_in(administrator.signed_in().who());
    Ok(Html(MyOrganisation { page, form, refusals: Refusals::none() }))
}

pub(super) async fn save_organisation(
    visitor: Visitor,
    State(kits): State<Kits>,
    administrator: OrganisationAdministrator,
    Form(form): Form<MyOrganisationForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let name = refusals.words("name", &form.name, NAME);
    let address = PostalAddress {
        street: optional(&mut refusals, "address", &form.address, 200),
        postcode: optional(&mut refusals, "postcode", &form.postcode, 20),
        city: optional(&mut refusals, "city", &form.city, NAME),
        country: optional(&mut refusals, "country", &form.country, 80),
    };
    let (Some(name), true) = (name, refusals.is_empty()) else {
        let page = visitor.page(kits.now()).signed_in(administrator.signed_in().who());
        return Ok(Html(MyOrganisation { page, form, refusals }).into_response());
    };
    service::change_organisation(&kits, &administrator, &name, &address).await?;
    Ok((flash(flashes::DATA_SAVED), Redirect::to(paths::MY_DATA)).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SwitchForm {
    organisation: String,
}

/// Acts for another of the user's organisations from now on, under a new session id.
pub(super) async fn switch(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Form(form): Form<SwitchForm>,
) -> Result<Response, Fault> {
    let By::Browser { secret, .. } = signed_in.by() else { return Err(Fault::not_found()) };
    let organisation = form.organisation.parse().map_err(|_| Fault::not_found())?;
    let fresh = portal_session::switch(&kits, secret, organisation).await?.ok_or_else(Fault::not_found)?;
    let cookie = set_cookie(portal_session::COOKIE, &fresh.expose(), None);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(paths::HOME)).into_response())
}

pub(super) async fn sign_ins(
    visitor: Visitor,
    State(kits): State<Kits>,
    signed_in: SignedIn,
) -> Result<Html<MySignIns>, Fault> {
    let member = signed_in.member();
    let this = match signed_in.by() {
        By::Browser { id, .. } => Some(*id),
        By::Program(_) => None,
    };
    let browsers = portal_session::list(&kits, member.user_id).await?;
    let programs = api_token::list(&kits, member.user_id).await?;
    let mut tx = kits.db.read().await?;
    let memberships = service::memberships(&mut tx, member.user_id).await?;
    drop(tx);
    Ok(Html(MySignIns {
        page: visitor.page(kits.now()).signed_in(signed_in.who()),
        browsers: browsers
            .into_iter()
            .map(|session| BrowserRow {
                id: session.id.0.to_string(),
                is_this: Some(session.id) == this,
                user_agent: session.user_agent,
                network: session.network,
                organisation: session.organisation,
                seen_at: session.seen_at,
            })
            .collect(),
        programs: programs
            .into_iter()
            .map(|token| ProgramRow {
                id: token.id.0.to_string(),
                label: token.label,
                organisation: token.organisation,
                used_at: token.used_at,
                expires_at: token.expires_at,
            })
            .collect(),
        memberships: memberships
            .into_iter()
            .map(|known| MembershipRow {
                id: known.organisation_id.to_string(),
                is_this: known.organisation_id == member.organisation_id,
                name: known.organisation_name,
                side: known.kind.into(),
                role: known.role.into(),
            })
            .collect(),
    }))
}

pub(super) async fn end_others(State(kits): State<Kits>, signed_in: SignedIn) -> Result<impl IntoResponse, Fault> {
    let By::Browser { id, .. } = signed_in.by() else { return Err(Fault::not_found()) };
    portal_session::end_others(&kits, signed_in.member(), *id).await?;
    Ok((flash(flashes::SIGN_IN_ENDED), Redirect::to(paths::MY_SIGN_INS)))
}

pub(super) async fn end_one(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Fault> {
    let id = Uuid::try_parse(&id).map_err(|_| Fault::not_found())?;
    let ended = portal_session::end_one(&kits, signed_in.member(), PortalSessionId(id)).await?;
    if !ended {
        return Err(Fault::not_found());
    }
    Ok((flash(flashes::SIGN_IN_ENDED), Redirect::to(paths::MY_SIGN_INS)))
}

pub(super) async fn revoke(
    State(kits): State<Kits>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Fault> {
    let id = Uuid::try_parse(&id).map_err(|_| Fault::not_found())?;
    let revoked = api_token::revoke(&kits, signed_in.member(), ApiTokenId(id)).await?;
    if !revoked {
        return Err(Fault::not_found());
    }
    Ok((flash(flashes::SIGN_IN_ENDED), Redirect::to(paths::MY_SIGN_INS)))
}
