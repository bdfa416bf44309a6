//! The mails of a cloud without a mail server, for the vendor. With a mail server there is no such page.

use axum::{
    extract::{Path, State},
    response::IntoResponse,
};
use uuid::Uuid;

use crate::{
    accounts::rights::VendorMember,
    kits::Kits,
    mail::{self, Kept},
    render::{
        Html,
        pages::{Mail, MailHtml, MailRow, Mailbox},
    },
    web::{Fault, Visitor},
};

/// How many mails the page shows.
const SHOWN: i64 = 200;

pub(super) async fn list(
    visitor: Visitor,
    State(kits): State<Kits>,
    vendor: VendorMember,
) -> Result<Html<Mailbox>, Fault> {
    is_here(&kits)?;
    let mut tx = kits.db.read().await?;
    let mails = mail::list(&mut tx, None, None, SHOWN).await?;
    let page = visitor.page(kits.now()).signed_in(vendor.signed_in().who());
    Ok(Html(Mailbox { page, mails: mails.into_iter().map(row).collect() }))
}

pub(super) async fn read(
    visitor: Visitor,
    State(kits): State<Kits>,
    vendor: VendorMember,
    Path(id): Path<String>,
) -> Result<Html<Mail>, Fault> {
    let mut kept = one(&kits, &id).await?;
    let plain = std::mem::take(&mut kept.plain);
    let page = visitor.page(kits.now()).signed_in(vendor.signed_in().who());
    Ok(Html(Mail { page, mail: row(kept), plain }))
}

pub(super) async fn html(
    State(kits): State<Kits>,
    _vendor: VendorMember,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Fault> {
    Ok(MailHtml(one(&kits, &id).await?.html))
}

async fn one(kits: &Kits, id: &str) -> Result<Kept, Fault> {
    is_here(kits)?;
    let id = Uuid::try_parse(id).map_err(|_| Fault::not_found())?;
    let mut tx = kits.db.read().await?;
    mail::read(&mut tx, id).await?.ok_or_else(Fault::not_found)
}

fn is_here(kits: &Kits) -> Result<(), Fault> {
    if kits.config.mail.smtp_url.is_none() { Ok(()) } else { Err(Fault::not_found()) }
}

fn row(kept: Kept) -> MailRow {
    MailRow { id: kept.id.to_string(), recipient: kept.recipient, subject: kept.subject, at: kept.at }
}
