//! The customer's rule where their key is pinned on the device: what lets somebody in is signed by the passkey before it
//! holds; what takes a right away is not held up by it.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Redirect},
    routing::post,
};
use gatelodge_proto::DeviceId;

use crate::{
    accounts::rights::CustomerMember,
    activation::{
        rule::{self, WholeRule},
        rule_form::{RuleForm, said},
    },
    kits::Kits,
    render::{flashes, paths},
    sessions::key::{KeyRefusal, RuleWords, ToSign, begin_rule, of, sign_rule},
    web::{Fault, Form, Named, flash},
};

/// The routes.
pub fn routes() -> Router<Kits> {
    Router::new().route(paths::RULE, post(set)).route(paths::RULE_BEGIN, post(begin))
}

async fn is_pinned(kits: &Kits, by: &CustomerMember, device: DeviceId) -> Result<bool, Fault> {
    Ok(of(kits, by.member(), device).await?.ok_or_else(Fault::not_found)?.pinned.is_some())
}

async fn begin(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(form): Form<RuleForm>,
) -> Result<Json<ToSign>, Fault> {
    let change = form.change(&form.what)?;
    if !change.opens() || !is_pinned(&kits, &by, device).await? {
        return Ok(Json(ToSign::default()));
    }
    let to = form.to(&change)?.ok_or_else(Fault::bad_form)?;
    let WholeRule { installer, consent, opening } = rule::after(&kits, &by, device, to, &change).await?;
    let words = RuleWords { installer, consent, opening };
    let (ceremony, options) = begin_rule(&kits, &by, device, words).await?;
    Ok(Json(ToSign { ceremony, options: Some(options) }))
}

async fn set(
    State(kits): State<Kits>,
    by: CustomerMember,
    Named(device): Named<DeviceId>,
    Form(form): Form<RuleForm>,
) -> Result<impl IntoResponse, Fault> {
    let change = form.change(&form.what)?;
    let said = if change.opens() && is_pinned(&kits, &by, device).await? {
        // Nothing signed is kept for an installer who has gone meanwhile.
        rule::after(&kits, &by, device, form.to(&change)?.ok_or_else(Fault::bad_form)?, &change).await?;
        // Signed first: a rule that the portal knew and the device did not would only be one that asks each time.
        match sign_rule(&kits, &by, device, &form.ceremony, &form.credential).await {
            Ok(signed) => {
                let (installer, consent, opening) = (signed.installer, signed.consent, signed.opening);
                rule::set_signed(&kits, &by, device, WholeRule { installer, consent, opening }).await?;
                said(&change)
            }
            Err(KeyRefusal::NotSigned(_)) => flashes::RULE_NOT_SIGNED,
            Err(refusal) => return Err(refusal.into()),
        }
    } else {
        rule::set(&kits, &by, device, form.to(&change)?, &change).await?;
        said(&change)
    };
    Ok((flash(said), Redirect::to(&paths::link(paths::DEVICE, device))))
}
