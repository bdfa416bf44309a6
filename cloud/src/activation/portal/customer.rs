//! The customer's activation, consent and release. Opening the link changes nothing: the token waits in a cookie while
//! the customer signs in, and is used up by the press on Confirm.

use std::time::Duration;

use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use gatelodge_proto::{DeviceId, payload::Consent};
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use super::{FieldFault, refusals, shown, typed, why};
use crate::{
    accounts::{By, SignedIn, model::Organisation, portal_session, rights::CustomerMember, tokens::Secret},
    activation::{
        confirm::{self, ConfirmRefusal, Confirmation, Owner},
        machine::Refusal,
        model::{CustomerForm, LinkFault, RegistrationView, organisation_name},
        release::{self, ReleaseRefusal},
        rule::{self, RuleRefusal},
        rule_form::{RuleForm, said},
        service,
    },
    i18n::Phrase,
    kits::Kits,
    render::{
        Html, Page, Refusals, flashes,
        pages::{Activated, ActivationForm, ActivationLanding, ConfirmActivation, OwnerChoice, Release},
        paths,
    },
    web::{Fault, Form, Named, Visitor, clear_cookie, cookie, flash, set_cookie},
};

/// Carries the token from the landing page over the sign-in.
const TOKEN: &str = "__Host-gl-activation";
/// Time enough to choose a password and sign in.
const CARRIED: Duration = Duration::from_secs(2 * 3_600);

pub(super) async fn landing(visitor: Visitor, State(kits): State<Kits>) -> Html<ActivationLanding> {
    Html(ActivationLanding { page: visitor.page(kits.now()) })
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
    confirm::look(&kits, &secret).await?;
    let carried = set_cookie(TOKEN, &secret.expose(), Some(CARRIED));
    Ok((AppendHeaders([(SET_COOKIE, carried)]), Redirect::to(paths::ACTIVATE_CONFIRM)).into_response())
}

/// A link that does nothing, in the reader's words.
fn stale(fault: LinkFault) -> Fault {
    Fault::stale_link().because(Phrase::new(match fault {
        LinkFault::Expired => "activation-link-expired",
        LinkFault::Used => "activation-link-used",
        LinkFault::Superseded => "activation-link-superseded",
        LinkFault::Withdrawn => "activation-link-withdrawn",
        LinkFault::Unknown => "activation-link-unknown",
    }))
}

impl From<ConfirmRefusal> for Fault {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::Link(fault) => stale(fault),
            ConfirmRefusal::State(Refusal::AnotherAccount) => {
                Self::forbidden().because(Phrase::new("activation-another-account"))
            }
            ConfirmRefusal::State(Refusal::AlreadyActive) => stale(LinkFault::Used),
            ConfirmRefusal::State(Refusal::Ended | Refusal::NotActive) => stale(LinkFault::Withdrawn),
            ConfirmRefusal::Organisation | ConfirmRefusal::Device(_) => Self::changed(),
            ConfirmRefusal::Database(error) => error.into(),
        }
    }
}

fn carried(headers: &HeaderMap) -> Result<Secret, Fault> {
    cookie(headers, TOKEN).and_then(|text| text.parse().ok()).ok_or_else(|| stale(LinkFault::Unknown))
}

pub(super) async fn confirm_form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    headers: HeaderMap,
) -> Result<Html<ConfirmActivation>, Fault> {
    let view = confirm::look_as(&kits, &by, &carried(&headers)?).await?;
    let owners = confirm::owners(&kits, &by).await?;
    let member = by.member();
    let customer = match &view.data {
        Some(data) => CustomerForm::from(data),
        // Somebody whose name nobody entered bears their address as name.
        None if member.name == member.email.as_str() => CustomerForm::default(),
        None => CustomerForm { name: member.name.clone(), ..CustomerForm::default() },
    };
    let owner = owners.first().map(|first| first.id.to_string()).unwrap_or_default();
    let form = ActivationForm { customer: shown(customer), owner, ..ActivationForm::default() };
    let page = visitor.page(kits.now()).signed_in(by.who());
    Ok(form_page(page, view, &owners, form, Refusals::none()))
}

fn form_page(
    page: Page,
    view: RegistrationView,
    owners: &[Organisation],
    form: ActivationForm,
    refusals: Refusals,
) -> Html<ConfirmActivation> {
    let choice = |known: &Organisation| OwnerChoice {
        id: known.id.to_string(),
        name: known.name.clone(),
        place: known.address.city.clone().unwrap_or_default(),
    };
    Html(ConfirmActivation {
        page,
        name: view.web_address.to_string(),
        product: view.product,
        id_code: view.id_code,
        installer: view.installer_name,
        owners: owners.iter().map(choice).collect(),
        owner: form.owner,
        organisation_name: form.organisation_name,
        consent: Consent::from_word(&form.consent),
        form: form.customer,
        refusals,
    })
}

/// Whom the form names as owner; without a choice it names nobody.
fn owner(form: &ActivationForm, refusals: &mut Refusals) -> Option<Owner> {
    match form.owner.as_str() {
        "" => Some(Owner::Usual),
        ConfirmActivation::ANOTHER => match organisation_name(&form.organisation_name) {
            Ok(name) => Some(Owner::Another(name)),
            Err(FieldFault::Missing) => {
                refusals.add("organisation_name", ConfirmActivation::name_missing());
                None
            }
            Err(fault) => {
                refusals.add("organisation_name", why(fault));
                None
            }
        },
        id => {
            let known = id.parse().map(Owner::Known).ok();
            if known.is_none() {
                refusals.add("owner", ConfirmActivation::owner_missing());
            }
            known
        }
    }
}

pub(super) async fn confirm(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    headers: HeaderMap,
    Form(form): Form<ActivationForm>,
) -> Result<Response, Fault> {
    let secret = carried(&headers)?;
    let consent = Consent::from_word(&form.consent);
    let (data, mut refusals) = match typed(&form.customer).read_whole() {
        Ok(data) => (Some(data), Refusals::none()),
        Err(invalid) => (None, refusals(&invalid)),
    };
    let owner = owner(&form, &mut refusals);
    if consent.is_none() {
        refusals.add("consent", ConfirmActivation::consent_missing());
    }
    let (Some(data), Some(owner), Some(consent)) = (data, owner, consent) else {
        let view = confirm::look_as(&kits, &by, &secret).await?;
        let owners = confirm::owners(&kits, &by).await?;
        let page = visitor.page(kits.now()).signed_in(by.who());
        return Ok(form_page(page, view, &owners, form, refusals).into_response());
    };
    let view = confirm::confirm(&kits, &by, &secret, Confirmation { data, consent, owner }).await?;
    let mut cookies = vec![(SET_COOKIE, clear_cookie(TOKEN))];
    // The device is shown to its owner: from here on the browser acts for that organisation.
    if let (Some(customer), By::Browser { secret, .. }) = (view.customer, by.by())
        && customer != by.member().organisation_id
        && let Some(fresh) = portal_session::switch(&kits, secret, customer).await?
    {
        cookies.push((SET_COOKIE, set_cookie(portal_session::COOKIE, &fresh.expose(), None)));
    }
    let done = Redirect::to(&paths::link(paths::ACTIVATED, view.device));
    Ok((AppendHeaders(cookies), done).into_response())
}

pub(super) async fn activated(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: SignedIn,
    Named(device): Named<DeviceId>,
) -> Result<Html<Activated>, Fault> {
    let view = service::one(&kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let page = visitor.page(kits.now()).signed_in(by.who());
    let (name, installer) = (view.web_address.to_string(), view.installer_name);
    Ok(Html(Activated { page, device, name, installer, consent: view.consent }))
}

impl From<RuleRefusal> for Fault {
    fn from(refusal: RuleRefusal) -> Self {
        match refusal {
            RuleRefusal::Unknown => Self::not_found(),
            RuleRefusal::Windows => Self::bad_form(),
            RuleRefusal::OtherInstaller => Self::changed().because(Phrase::new("rule-other-installer")),
            RuleRefusal::State(_) | RuleRefusal::WebAddressInUse => Self::changed(),
            RuleRefusal::Database(error) => error.into(),
        }
    }
}

/// One of the rule's forms.
async fn set_rule(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    (form, which): (&RuleForm, &str),
) -> Result<impl IntoResponse + use<>, Fault> {
    let change = form.change(which)?;
    rule::set(kits, by, device, form.to(&change)?, &change).await?;
    Ok((flash(said(&change)), Redirect::to(&paths::link(paths::DEVICE, device))))
}

pub(super) async fn set_consent(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(form): Form<RuleForm>,
) -> Result<impl IntoResponse, Fault> {
    set_rule(&kits, &by, device, (&form, "consent")).await
}

/// Opens the device for a while by one press, or closes it.
pub(super) async fn open_device(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(form): Form<RuleForm>,
) -> Result<impl IntoResponse, Fault> {
    set_rule(&kits, &by, device, (&form, "open")).await
}

/// Agrees to emergencies, or withdraws it by one press.
pub(super) async fn set_break_glass(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(form): Form<RuleForm>,
) -> Result<impl IntoResponse, Fault> {
    set_rule(&kits, &by, device, (&form, "break-glass")).await
}

pub(super) async fn release_form(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
) -> Result<Html<Release>, Fault> {
    let view = service::one(&kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let name = view.web_address.to_string();
    Ok(Html(Release { page, device, name, typed: String::new(), refusals: Refusals::none() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReleaseForm {
    typed: String,
}

pub(super) async fn release(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(ReleaseForm { typed }): Form<ReleaseForm>,
) -> Result<Response, Fault> {
    match release::release(&kits, &by, device, &typed).await {
        Ok(()) => Ok((flash(flashes::DEVICE_RELEASED), Redirect::to(paths::DEVICES)).into_response()),
        Err(ReleaseRefusal::NotTheName(name)) => {
            let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
            let refusals = Refusals::one("typed", Release::not_the_name(&name));
            Ok(Html(Release { page, device, name, typed, refusals }).into_response())
        }
        Err(ReleaseRefusal::Unknown) => Err(Fault::not_found()),
        Err(ReleaseRefusal::Device(_)) => Err(Fault::changed()),
        Err(ReleaseRefusal::Database(error)) => Err(error.into()),
    }
}
