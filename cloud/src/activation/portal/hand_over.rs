//! The customer changes installer, and the other one takes over. As with an activation, opening the link changes nothing:
//! the token waits in a cookie while somebody signs in, and is used up by the press on the button.

use std::time::Duration;

use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use gatelodge_proto::{DeviceId, identity::EmailAddress};
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use crate::{
    accounts::{
        SignedIn,
        rights::{CustomerMember, InstallerMember},
        tokens::Secret,
    },
    activation::{
        hand_over::{self, OfferRefusal, TakeOverRefusal},
        model::LinkFault,
        service,
    },
    i18n::Phrase,
    kits::Kits,
    render::{
        Html, Refusals, flashes,
        pages::{ChangeInstaller, TakeOver, TakeOverLanding},
        paths,
    },
    web::{Fault, Form, Named, Visitor, clear_cookie, cookie, flash, set_cookie},
};

/// Carries the token from the landing page over the sign-in.
const TOKEN: &str = "__Host-gl-take-over";
/// Time enough to choose a password and sign in.
const CARRIED: Duration = Duration::from_secs(2 * 3_600);

impl From<OfferRefusal> for Fault {
    fn from(refusal: OfferRefusal) -> Self {
        match refusal {
            OfferRefusal::Unknown => Self::not_found(),
            OfferRefusal::Throttled(throttled) => Self::throttled(throttled.seconds()),
            OfferRefusal::Database(error) => error.into(),
        }
    }
}

async fn page(
    visitor: Visitor,
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    (email, refusals): (String, Refusals),
) -> Result<Html<ChangeInstaller>, Fault> {
    let view = service::one(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let offered = hand_over::offered(kits, view.id).await?.map(|offered| (offered.to.to_string(), offered.at));
    Ok(Html(ChangeInstaller {
        page: visitor.page(kits.now()).signed_in(by.signed_in().who()),
        device,
        name: view.web_address.to_string(),
        installer: view.installer_name,
        offered,
        email,
        refusals,
    }))
}

pub(super) async fn form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<Html<ChangeInstaller>, Fault> {
    page(visitor, &kits, &by, device, (String::new(), Refusals::none())).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EmailForm {
    email: String,
}

pub(super) async fn offer(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(EmailForm { email }): Form<EmailForm>,
) -> Result<Response, Fault> {
    let mut refusals = Refusals::none();
    let Some(to) = refusals.parse::<EmailAddress>("email", &email) else {
        return Ok(page(visitor, &kits, &by, device, (email, refusals)).await?.into_response());
    };
    hand_over::offer(&kits, &by, device, &to).await?;
    Ok((flash(flashes::TAKE_OVER_SENT), Redirect::to(&paths::link(paths::CHANGE_INSTALLER, device))).into_response())
}

pub(super) async fn keep(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<impl IntoResponse, Fault> {
    hand_over::withdraw(&kits, &by, device).await?;
    Ok((flash(flashes::TAKE_OVER_WITHDRAWN), Redirect::to(&paths::link(paths::DEVICE, device))))
}

pub(super) async fn landing(visitor: Visitor, State(kits): State<Kits>) -> Html<TakeOverLanding> {
    Html(TakeOverLanding { page: visitor.page(kits.now()) })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenForm {
    token: String,
}

pub(super) async fn open(
    State(kits): State<Kits>,
    Form(TokenForm { token }): Form<TokenForm>,
) -> Result<Response, Fault> {
    let secret: Secret = token.parse().map_err(|_| stale(LinkFault::Unknown))?;
    hand_over::look(&kits, &secret).await?;
    let carried = set_cookie(TOKEN, &secret.expose(), Some(CARRIED));
    Ok((AppendHeaders([(SET_COOKIE, carried)]), Redirect::to(paths::TAKE_OVER_CONFIRM)).into_response())
}

/// A link that does nothing, in the reader's words.
fn stale(fault: LinkFault) -> Fault {
    Fault::stale_link().because(Phrase::new(match fault {
        LinkFault::Expired => "take-over-link-expired",
        LinkFault::Used => "take-over-link-used",
        LinkFault::Superseded => "take-over-link-superseded",
        LinkFault::Withdrawn => "take-over-link-withdrawn",
        LinkFault::Unknown => "activation-link-unknown",
    }))
}

impl From<TakeOverRefusal> for Fault {
    fn from(refusal: TakeOverRefusal) -> Self {
        match refusal {
            TakeOverRefusal::Link(fault) => stale(fault),
            TakeOverRefusal::Yours(_) => Self::changed(),
            TakeOverRefusal::Database(error) => error.into(),
        }
    }
}

fn carried(headers: &HeaderMap) -> Result<Secret, Fault> {
    cookie(headers, TOKEN).and_then(|text| text.parse().ok()).ok_or_else(|| stale(LinkFault::Unknown))
}

pub(super) async fn take_over_form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    headers: HeaderMap,
) -> Result<Html<TakeOver>, Fault> {
    let view = hand_over::look(&kits, &carried(&headers)?).await?;
    Ok(Html(TakeOver {
        page: visitor.page(kits.now()).signed_in(by.who()),
        name: view.web_address.to_string(),
        product: view.product,
        id_code: view.id_code,
        customer: view.customer_name.unwrap_or_else(|| view.email.to_string()),
        organisation: by.member().organisation_name.clone(),
        may: InstallerMember::try_from(by).is_ok(),
    }))
}

pub(super) async fn take_over(
    State(kits): State<Kits>,
    by: InstallerMember,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let (device, said) = match hand_over::take_over(&kits, &by, &carried(&headers)?).await {
        Ok(device) => (device, flashes::TAKEN_OVER),
        Err(TakeOverRefusal::Yours(device)) => (device, flashes::TAKEN_OVER_YOURS),
        Err(refusal) => return Err(refusal.into()),
    };
    let cleared = AppendHeaders([(SET_COOKIE, clear_cookie(TOKEN))]);
    Ok((flash(said), cleared, Redirect::to(&paths::link(paths::DEVICE, device))).into_response())
}
