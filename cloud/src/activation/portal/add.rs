//! The installer's three steps: label, customer, sent.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, State},
    response::{IntoResponse, Redirect, Response},
};
use gatelodge_proto::{
    DeviceId,
    api::Presence as There,
    identity::{ClaimSecret, Label, OnSiteCode},
};
use serde::Deserialize;

use super::{refusals, typed};
use crate::{
    accounts::rights::InstallerMember,
    activation::{
        model::{Claim, LINK_LIFE, Presence},
        register::{self, RegisterRefusal},
        service,
        show::{domain, proposal},
    },
    i18n::Explain as _,
    kits::Kits,
    render::{
        Html, Page, Refusals,
        pages::{AddCustomer, AddDevice, CustomerForm, DeviceSent, LabelForm},
        paths,
    },
    web::{Fault, Form, Named, Visitor},
};

pub(super) async fn form(visitor: Visitor, State(kits): State<Kits>, by: InstallerMember) -> Html<AddDevice> {
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    label_step(page, &kits, LabelForm::default(), Refusals::none())
}

pub(super) async fn check(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Form(form): Form<LabelForm>,
) -> Result<Response, Fault> {
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let (form, claim) = read(form);
    let claim = match claim {
        Ok(claim) => claim,
        Err(refusals) => return Ok(label_step(page, &kits, form, refusals).into_response()),
    };
    match register::check(&kits, &by, &from.ip().into(), &claim).await {
        Ok(device) => {
            let presence = There { online: device.online, since: device.presence_since };
            let (product, refusals) = (device.product_name, Refusals::none());
            let customer = CustomerForm::default();
            Ok(Html(AddCustomer { page, label: form, product, presence, form: customer, refusals }).into_response())
        }
        Err(refusal) => Ok(refused(page, &kits, form, refusal)?.into_response()),
    }
}

/// What the customer step posts: both steps, and the button pressed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SaveForm {
    #[serde(flatten)]
    label: LabelForm,
    #[serde(flatten)]
    customer: CustomerForm,
    with: String,
}

pub(super) async fn save(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Form(SaveForm { label, customer, with }): Form<SaveForm>,
) -> Result<Response, Fault> {
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let (label, claim) = read(label);
    let claim = match claim {
        Ok(claim) => claim,
        Err(refusals) => return Ok(label_step(page, &kits, label, refusals).into_response()),
    };
    let data = if with == "nothing" { Ok(None) } else { typed(&customer).read() };
    let data = match data {
        Ok(data) => data,
        Err(invalid) => {
            // Asked once more for the line on top of the step; a right code is not used up by it.
            return match register::check(&kits, &by, &from.ip().into(), &claim).await {
                Ok(device) => {
                    let presence = There { online: device.online, since: device.presence_since };
                    let (product, refusals) = (device.product_name, refusals(&invalid));
                    Ok(Html(AddCustomer { page, label, product, presence, form: customer, refusals }).into_response())
                }
                Err(refusal) => Ok(refused(page, &kits, label, refusal)?.into_response()),
            };
        }
    };
    match register::save(&kits, &by, &from.ip().into(), &claim, data, visitor.language).await {
        Ok(id) => {
            let view = service::registration(&kits, id).await?.ok_or_else(Fault::not_found)?;
            Ok(Redirect::to(&paths::link(paths::DEVICE_SENT, view.device)).into_response())
        }
        Err(refusal) => Ok(refused(page, &kits, label, refusal)?.into_response()),
    }
}

pub(super) async fn sent(
    visitor: Visitor,
    State(kits): State<Kits>,
    by: InstallerMember,
    Named(device): Named<DeviceId>,
) -> Result<Html<DeviceSent>, Fault> {
    let view = service::one(&kits, by.member(), device).await?.ok_or_else(Fault::not_found)?;
    let page = visitor.page(kits.now()).signed_in(by.signed_in().who());
    let times = service::link_times(&kits, view.id).await?;
    let until = times.map_or(view.registered_at + LINK_LIFE, |(_, until)| until);
    Ok(Html(DeviceSent { page, device, name: view.web_address.to_string(), email: view.email.to_string(), until }))
}

fn label_step(page: Page, kits: &Kits, form: LabelForm, refusals: Refusals) -> Html<AddDevice> {
    Html(AddDevice { page, form, refusals, domain: domain(kits) })
}

/// Reads the label step. A scanned label fills what was not typed; what was typed wins.
fn read(mut form: LabelForm) -> (LabelForm, Result<Claim, Refusals>) {
    let mut refusals = Refusals::none();
    if let Some(label) = refusals.parse_optional::<Label>("label", &form.label) {
        let fill = |field: &mut String, text: String| {
            if field.trim().is_empty() {
                *field = text;
            }
        };
        fill(&mut form.id_code, label.id_code.to_string());
        fill(&mut form.mac, label.mac.to_string());
        if let Some(secret) = &label.secret {
            fill(&mut form.proof, secret.reveal());
        }
    }
    let (id_code, mac) = (refusals.parse("id_code", &form.id_code), refusals.parse("mac", &form.mac));
    let presence = proof(&mut refusals, &form.proof);
    let (web_address, email) = (refusals.parse("web_address", &form.web_address), refusals.parse("email", &form.email));
    let claim = match (id_code, mac, presence, web_address, email) {
        (Some(id_code), Some(mac), Some(presence), Some(web_address), Some(email)) => {
            Ok(Claim { id_code, mac, web_address, email, presence })
        }
        _ => Err(refusals),
    };
    (form, claim)
}

/// An on-site code has 8 characters, a label secret 16; by its length one field takes both.
fn proof(refusals: &mut Refusals, text: &str) -> Option<Presence> {
    let length = text.chars().filter(|c| !matches!(c, ' ' | '-')).count();
    if length == 0 {
        refusals.add("proof", AddDevice::proof_missing());
        return None;
    }
    let read = if length > 12 {
        text.parse::<ClaimSecret>().map(Presence::LabelSecret).map_err(|error| error.explain())
    } else {
        text.parse::<OnSiteCode>().map(Presence::OnSiteCode).map_err(|error| error.explain())
    };
    read.map_err(|why| refusals.add("proof", why)).ok()
}

/// The label step with the reason, beside the field it is about.
fn refused(page: Page, kits: &Kits, form: LabelForm, refusal: RegisterRefusal) -> Result<Html<AddDevice>, Fault> {
    let (field, why) = match refusal {
        RegisterRefusal::UnknownPair => ("id_code", AddDevice::unknown_pair()),
        RegisterRefusal::Yours(_) => ("id_code", AddDevice::yours()),
        RegisterRefusal::Taken => ("id_code", AddDevice::taken()),
        RegisterRefusal::Retired => ("id_code", AddDevice::retired()),
        RegisterRefusal::NotConnected => ("id_code", AddDevice::not_seen()),
        RegisterRefusal::WebAddressInUse => ("web_address", AddDevice::web_address_taken(&proposal(&form.web_address))),
        RegisterRefusal::WrongCode { left } => ("proof", AddDevice::proof_wrong(left)),
        RegisterRefusal::Locked | RegisterRefusal::NoCodeShown => ("proof", AddDevice::proof_used_up()),
        RegisterRefusal::Disputed => ("proof", AddDevice::proof_disputed()),
        RegisterRefusal::WrongLabelSecret => ("proof", AddDevice::label_secret_wrong()),
        RegisterRefusal::LabelSecretOver => ("proof", AddDevice::label_secret_over()),
        RegisterRefusal::Throttled(throttled) => return Err(Fault::throttled(throttled.seconds())),
        RegisterRefusal::Verify(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a proof of being there could not be checked");
            return Err(Fault::broken());
        }
        RegisterRefusal::Database(error) => return Err(error.into()),
    };
    Ok(label_step(page, kits, form, Refusals::one(field, why)))
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        Random,
        identity::{IdCode, MacAddress},
    };

    use super::*;

    fn label(secret: bool) -> Label {
        let random = Random::seeded(1);
        let secret = secret.then(|| ClaimSecret::make(&random));
        Label { id_code: IdCode::make(&random), mac: MacAddress::from_bytes([2, 0, 0, 0, 0, 1]).unwrap(), secret }
    }

    fn form(label: &str, proof: &str) -> LabelForm {
        LabelForm {
            label: label.into(),
            proof: proof.into(),
            web_address: "villa-rosa".into(),
            email: "rosa@example.com".into(),
            ..LabelForm::default()
        }
    }

    #[test]
    fn a_scanned_label_fills_what_was_not_typed() {
        let scanned = label(true);
        let (shown, claim) = read(form(&scanned.to_string(), ""));
        let claim = claim.unwrap();
        assert_eq!((claim.id_code, claim.mac), (scanned.id_code, scanned.mac));
        assert_eq!(claim.presence, Presence::LabelSecret(scanned.secret.unwrap()));
        assert_eq!(shown.id_code, scanned.id_code.to_string());
        let (_, claim) = read(form(&label(false).to_string(), "4f7k 92xq"));
        assert!(matches!(claim.unwrap().presence, Presence::OnSiteCode(_)));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let (_, claim) = read(LabelForm { proof: "1".into(), ..LabelForm::default() });
        let refusals = claim.unwrap_err();
        let fields: Vec<_> = refusals.iter().map(|refusal| refusal.field).collect();
        assert_eq!(fields, ["id_code", "mac", "proof", "web_address", "email"]);
    }
}
