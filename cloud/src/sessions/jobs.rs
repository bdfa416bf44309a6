//! The mails that tell a customer a technician asks, to enter or for more time, as jobs: one for each person who may
//! decide.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{OrganisationId, SessionId, UserId, api::ExtensionState, opening::BREAK_GLASS};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    emergency::{self, StopId},
    key,
    machine::Found,
    model::{Ask as Asked, names},
    show,
    store::{self, Reader},
};
use crate::{
    accounts::{
        model::{Member, Role},
        service as accounts,
    },
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

/// The kind of job that tells of an emergency stop.
const STOPPED: &str = "sessions.mail_emergency_stop";

#[derive(Debug, Serialize, Deserialize)]
struct Stopped {
    stop: Uuid,
    user: UserId,
    organisation: OrganisationId,
}

/// The mails to those who lead an organisation that an emergency stop concerns.
pub(super) async fn enqueue_stopped(
    tx: &mut Tx,
    kits: &Kits,
    stop: StopId,
    organisation: OrganisationId,
) -> Result<(), DbError> {
    let now = kits.now();
    let members = accounts::members(tx, organisation).await?;
    for member in members.iter().filter(|member| matches!(member.role, Role::Administrator | Role::Supervisor)) {
        let stopped = Stopped { stop: stop.0, user: member.user_id, organisation };
        jobs::enqueue(tx, now, &kits.random, STOPPED, &stopped, now).await?;
    }
    Ok(())
}

async fn mail_stopped(kits: Kits, job: Job) -> Result<(), JobError> {
    let Stopped { stop, user, organisation } =
        serde_json::from_value(job.payload).map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
    let mut tx = kits.db.read().await?;
    // Lifted meanwhile: nobody needs to be alarmed.
    let Some(stop) = emergency::one(&mut tx, StopId(stop)).await? else { return Ok(()) };
    let Some(member) = accounts::membership(&mut tx, user, organisation).await? else { return Ok(()) };
    drop(tx);
    let url = format!("{}{}", kits.config.public_url.as_str().trim_end_matches('/'), paths::SESSIONS);
    let mail = Mail::emergency_stop(&member.name, &stop.reason, &url);
    hand_over(&kits, job.id, &member, &mail).await
}

/// The kind of job that tells of an entry without an answer.
const BROKEN: &str = "sessions.mail_break_glass";

#[derive(Debug, Serialize, Deserialize)]
struct Broken {
    session: SessionId,
    user: UserId,
    organisation: OrganisationId,
}

/// The mails to those who lead an organisation whose device was entered, or who entered, in an emergency.
pub(super) async fn enqueue_broken(
    tx: &mut Tx,
    kits: &Kits,
    session: SessionId,
    organisation: OrganisationId,
) -> Result<(), DbError> {
    let now = kits.now();
    let members = accounts::members(tx, organisation).await?;
    for member in members.iter().filter(|member| matches!(member.role, Role::Administrator | Role::Supervisor)) {
        let broken = Broken { session, user: member.user_id, organisation };
        jobs::enqueue(tx, now, &kits.random, BROKEN, &broken, now).await?;
    }
    Ok(())
}

/// Sent whatever became of the session since: that somebody has entered stays true.
async fn mail_broken(kits: Kits, job: Job) -> Result<(), JobError> {
    let Broken { session, user, organisation } =
        serde_json::from_value(job.payload).map_err(|error| JobError::Fail(format!("its payload: {error}")))?;
    let mut tx = kits.db.read().await?;
    let Some(found) = store::find(&mut tx, session).await? else { return Ok(()) };
    let Some((device, asked)) = facts(&mut tx, found.ask(), BREAK_GLASS).await? else { return Ok(()) };
    let Some(member) = accounts::membership(&mut tx, user, organisation).await? else { return Ok(()) };
    drop(tx);
    let owner = organisation == found.ask().customer;
    let mail = Mail::break_glass(&member.name, &device, &asked, owner, &session_url(&kits, session));
    hand_over(&kits, job.id, &member, &mail).await
}

fn session_url(kits: &Kits, session: SessionId) -> String {
    let page = paths::link(paths::SESSION, session);
    format!("{}{page}", kits.config.public_url.as_str().trim_end_matches('/'))
}

/// What a mail says of a session and its device.
async fn facts(tx: &mut Tx, ask: &Asked, length: Duration) -> Result<Option<(DeviceNamed, SessionAsked)>, DbError> {
    let named = store::named(tx, Reader::Customer(ask.customer), ask.id).await?;
    let device = devices::device(tx, ask.device).await?;
    let (Some(named), Some(device)) = (named, device) else { return Ok(None) };
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
        features: ask.features.clone(),
        ticket_number: ask.ticket_number.clone(),
        length,
    };
    Ok(Some((device, asked)))
}

pub(super) async fn hand_over(kits: &Kits, job: Uuid, to: &Member, mail: &Mail) -> Result<(), JobError> {
    let Letter { subject, html, plain } = mail.render(to.language, &kits.config.mail.vendor_name);
    let message = Message { to: to.email.clone(), subject, html, plain, message_id: job };
    kits.mailer.send(message).await.map_err(|error| match error {
        MailError::Passing(_) => JobError::Retry(error.to_string()),
        MailError::Permanent(_) => JobError::Fail(error.to_string()),
    })
}

/// The kinds of job and who does them.
pub fn jobs(kits: &Kits) -> Vec<(&'static str, Handler)> {
    let of = |about: About| -> Handler {
        let kits = kits.clone();
        Arc::new(move |job| Box::pin(mail(kits.clone(), about, job)))
    };
    let stopped: Handler = {
        let kits = kits.clone();
        Arc::new(move |job| Box::pin(mail_stopped(kits.clone(), job)))
    };
    let broken: Handler = {
        let kits = kits.clone();
        Arc::new(move |job| Box::pin(mail_broken(kits.clone(), job)))
    };
    let mut all = vec![(STOPPED, stopped), (BROKEN, broken), key::job(kits)];
    all.extend([About::Request, About::Extension].map(|about| (about.kind(), of(about))));
    all
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
    let known = facts(&mut tx, ask, length).await?;
    let member = accounts::membership(&mut tx, user, ask.customer).await?;
    drop(tx);
    let (Some((device, asked)), Some(member)) = (known, member) else { return Ok(()) };
    let url = session_url(&kits, session);
    let mail = match about {
        About::Request => Mail::session_request(&member.name, &device, &asked, &url),
        About::Extension => Mail::session_extension(&member.name, &device, &asked, &url),
    };
    hand_over(&kits, job.id, &member, &mail).await
}
