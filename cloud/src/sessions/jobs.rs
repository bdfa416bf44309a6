//! The mails that tell a customer a technician asks, to enter or for more time, as jobs: one for each person who may
//! decide.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{OrganisationId, SessionId, UserId, api::ExtensionState};
use serde::{Deserialize, Serialize};

use super::{
    machine::Found,
    model::names,
    show,
    store::{self, Reader},
};
use crate::{
    accounts::{model::Role, service as accounts},
    db::{DbError, Tx},
    devices::service as devices,
    jobs::{self, Handler, Job, JobError},
    kits::Kits,
    mail::{MailError, Message},
    render::{
        mails::{DeviceNamed, Letter, Mail, SessionAsked},
        paths,
    },
};

#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    session: SessionId,
    user: UserId,
}

/// The mails to those of the customer who may decide.
pub(super) async fn enqueue(
    tx: &mut Tx,
    kits: &Kits,
    about: About,
    session: SessionId,
    customer: OrganisationId,
) -> Result<(), DbError> {
    let now = kits.now();
    let members = accounts::members(tx, customer).await?;
    for member in members.iter().filter(|member| matches!(member.role, Role::Administrator | Role::Supervisor)) {
        jobs::enqueue(tx, now, &kits.random, about.kind(), &Ask { session, user: member.user_id }, now).await?;
    }
    Ok(())
}

/// The kinds of job and who does them.
pub fn jobs(kits: &Kits) -> Vec<(&'static str, Handler)> {
    let of = |about: About| -> Handler {
        let kits = kits.clone();
        Arc::new(move |job| Box::pin(mail(kits.clone(), about, job)))
    };
    [About::Request, About::Extension].map(|about| (about.kind(), of(about))).into()
}

/// What the customer is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// Whether somebody may enter.
    Request,
    /// Whether who is inside may stay longer.
    Extension,
}

impl About {
    /// The kind of job.
    const fn kind(self) -> &'static str {
        match self {
            Self::Request => "sessions.mail_request",
            Self::Extension => "sessions.mail_extension",
        }
    }

    /// For how long somebody waits for an answer; nobody when it was given, or all is over.
    fn waits(self, found: &Found) -> Option<Duration> {
        let minutes = match (self, found) {
            (Self::Request, Found::Waiting(waiting)) => waiting.ask.minutes,
            (Self::Extension, Found::Open(open)) => {
                let asked = open.state.extension.filter(|wish| wish.state == ExtensionState::Asked);
                asked?.minutes
            }
            (Self::Request | Self::Extension, _) => return None,
        };
        Some(Duration::from_secs(u64::from(minutes) * 60))
    }
}

async fn mail(kits: Kits, about: About, job: Job) -> Result<(), JobError> {
    let Ask { session, user } =
        serde_json::from_value(job.payload).map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
    let mut tx = kits.db.read().await?;
    let Some(found) = store::find(&mut tx, session).await? else { return Ok(()) };
    // Answered or over meanwhile: nothing to ask any more.
    let Some(length) = about.waits(&found) else { return Ok(()) };
    let ask = found.ask();
    let named = store::named(&mut tx, Reader::Customer(ask.customer), session).await?;
    let device = devices::device(&mut tx, ask.device).await?;
    let member = accounts::membership(&mut tx, user, ask.customer).await?;
    drop(tx);
    let (Some(named), Some(device), Some(member)) = (named, device, member) else { return Ok(()) };
    let device = DeviceNamed {
        name: named.view.device_name,
        product: device.product_name,
        id_code: device.names.id_code,
        installer: named.view.organisation.clone(),
    };
    let asked = SessionAsked {
        technician: named.view.technician,
        organisation: named.view.organisation,
        reason: ask.reason.clone(),
        services: names(&ask.services).iter().map(ToString::to_string).collect(),
        networks: ask.networks.iter().map(|network| network.subnet.to_string()).collect(),
        calls: ask.listens.iter().map(show::call).collect(),
        length,
    };
    let url = format!("{}{}", kits.config.public_url.as_str().trim_end_matches('/'), paths::REQUESTS);
    let mail = match about {
        About::Request => Mail::session_request(&member.name, &device, &asked, &url),
        About::Extension => Mail::session_extension(&member.name, &device, &asked, &url),
    };
    let Letter { subject, html, plain } = mail.render(member.language, &kits.config.mail.vendor_name);
    let message = Message { to: member.email, subject, html, plain, message_id: job.id };
    kits.mailer.send(message).await.map_err(|error| match error {
        MailError::Passing(_) => JobError::Retry(error.to_string()),
        MailError::Permanent(_) => JobError::Fail(error.to_string()),
    })
}
