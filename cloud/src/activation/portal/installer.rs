//! The installer's devices, and what they repair before the customer confirms. A customer's list is here too: one
//! address, by role.

use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use gatelodge_proto::{DeviceId, RegistrationId, identity::EmailAddress, payload::Life};
use serde::Deserialize;

use crate::{
    accounts::{SignedIn, model::OrganisationKind, rights::InstallerMember},
    activation::{
        Wanted,
        amend::{self, AmendRefusal},
        model::{RegistrationView, State as Standing},
        service,
        show::row,
    },
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{CancelRegistration, CorrectEmail, InstallerDevices, MyDevices},
        paths,
    },
    web::{Fault, Form, Named, Visitor, flash},
};

/// How many devices a page has.
const PAGE: i64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    search: String,
    life: String,
    cursor: String,
}

pub(super) async fn devices(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Response, Fault> {
    let page = visitor.page(kits.now()).signed_in(by.who());
    match by.member().kind {
        OrganisationKind::Vendor => Ok(Redirect::to(paths::INVENTORY).into_response()),
        OrganisationKind::Customer => {
            let wanted = Wanted { limit: 500, ..Wanted::default() };
            let views = service::list(&kits, by.member(), &wanted).await?;
            Ok(Html(MyDevices { page, devices: views.into_iter().map(row).collect() }).into_response())
        }
        OrganisationKind::Installer | OrganisationKind::Reseller => {
            let life = Life::from_word(&query.life).filter(|life| matches!(life, Life::Registered | Life::Active));
            let state = life.map(|life| if life == Life::Active { Standing::Active } else { Standing::Open });
            let before: Option<RegistrationId> = query.cursor.parse().ok();
            let wanted = Wanted { state, online: None, search: query.search.clone(), before, limit: PAGE + 1 };
            let mut views = service::list(&kits, by.member(), &wanted).await?;
            let more = views.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
            views.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
            let next_cursor = views.last().filter(|_| more).map(|view| view.id.to_string());
            let counts =
                service::counts(&kits, by.member()).await?.into_iter().map(|(state, count)| (life_of(state), count));
            let (counts, devices) = (counts.collect(), views.into_iter().map(row).collect());
            Ok(Html(InstallerDevices { page, search: query.search, life, counts, devices, next_cursor })
                .into_response())
        }
    }
}

const fn life_of(state: Standing) -> Life {
    match state {
        Standing::Open => Life::Registered,
        Standing::Active => Life::Active,
        Standing::Cancelled | Standing::Released | Standing::HandedOver => Life::Released,
    }
}

impl From<AmendRefusal> for Fault {
    fn from(refusal: AmendRefusal) -> Self {
        match refusal {
            AmendRefusal::Unknown => Self::not_found(),
            AmendRefusal::State(_) | AmendRefusal::Device(_) | AmendRefusal::SameAddress => Self::changed(),
            AmendRefusal::Throttled(throttled) => Self::throttled(throttled.seconds()),
            AmendRefusal::Database(error) => error.into(),
        }
    }
}

pub(super) async fn resend(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
) -> Result<impl IntoResponse, Fault> {
    amend::resend(&kits, &by, device).await?;
    Ok((flash(flashes::LINK_SENT), Redirect::to(&paths::link(paths::DEVICE, device))))
}

/// The open registration that a repair is about.
async fn open(kits: &Kits, by: &InstallerMember, device: Named<DeviceId>) -> Result<RegistrationView, Fault> {
    let view = service::one(kits, by.member(), device.0).await?.ok_or_else(Fault::not_found)?;
    if view.state == Standing::Open { Ok(view) } else { Err(Fault::changed()) }
}

pub(super) async fn correct_form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    device: Named<DeviceId>,
) -> Result<Html<CorrectEmail>, Fault> {
    let view = open(&kits, &by, device).await?;
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let (name, email) = (view.web_address.to_string(), view.email.to_string());
    Ok(Html(CorrectEmail { page, device: view.device, name, email, refusals: Refusals::none() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EmailForm {
    email: String,
}

pub(super) async fn correct(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    device: Named<DeviceId>,
    Form(EmailForm { email }): Form<EmailForm>,
) -> Result<Response, Fault> {
    let view = open(&kits, &by, device).await?;
    let mut refusals = Refusals::none();
    let Some(address) = refusals.parse::<EmailAddress>("email", &email) else {
        let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
        let name = view.web_address.to_string();
        return Ok(Html(CorrectEmail { page, device: view.device, name, email, refusals }).into_response());
    };
    let back = Redirect::to(&paths::link(paths::DEVICE, view.device));
    match amend::correct_email(&kits, &by, view.device, address, visitor.language).await {
        Ok(()) => Ok((flash(flashes::EMAIL_CORRECTED), back).into_response()),
        // The link goes there already, so sending it again is what was meant.
        Err(AmendRefusal::SameAddress) => {
            amend::resend(&kits, &by, view.device).await?;
            Ok((flash(flashes::LINK_SENT), back).into_response())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn cancel_form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    device: Named<DeviceId>,
) -> Result<Html<CancelRegistration>, Fault> {
    let view = open(&kits, &by, device).await?;
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let (name, email) = (view.web_address.to_string(), view.email.to_string());
    Ok(Html(CancelRegistration { page, device: view.device, name, email }))
}

pub(super) async fn cancel(
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
) -> Result<impl IntoResponse, Fault> {
    amend::cancel(&kits, &by, device).await?;
    Ok((flash(flashes::REGISTRATION_CANCELLED), Redirect::to(paths::DEVICES)))
}
