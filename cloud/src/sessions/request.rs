//! A technician asks for a session: the customer's rule answers, or the customer is asked.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, SessionId,
    api::SessionRequest,
    payload::{Listen, Network, Service, ServiceName},
};

use super::{
    decide::{self, OpenRefusal},
    jobs::{self, About},
    machine::{self, Answer},
    model::{Ask, LIVE_PER_DEVICE, LONGEST_REASON, NamedSession},
    record::{actor, asked, record},
    store::{self, Reader},
};
use crate::{
    accounts::{
        rights::InstallerMember,
        service::{Throttled, throttle_within},
    },
    audit::Actor,
    db::DbError,
    kits::Kits,
    pki::{Csr, InvalidCsr},
};

/// Requests of one technician for one device in an hour, whatever became of them.
const REQUESTS_PER_HOUR: u32 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// Why no session came of a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestRefusal {
    /// No such device, or it is another installer's: both look the same.
    #[error("there is no such device among yours")]
    UnknownDevice,
    /// The customer has not confirmed the device yet.
    #[error("the customer has not confirmed this device yet: ask them to follow the link in the activation mail")]
    NotActive,
    /// Nothing to reach.
    #[error("name at least one of the device's services, networks or ports for calls")]
    NoServices,
    /// The device does not report this service.
    #[error("the device has no service `{name}`; it has {known}")]
    UnknownService {
        /// The name asked for.
        name: ServiceName,
        /// What there is.
        known: String,
    },
    /// The device does not report this network.
    #[error("the device has no network `{name}`; it has {known}")]
    UnknownNetwork {
        /// The name asked for.
        name: ServiceName,
        /// What there is.
        known: String,
    },
    /// The device does not report this port for calls.
    #[error("the device has no port for calls `{name}`; it has {known}")]
    UnknownListen {
        /// The name asked for.
        name: ServiceName,
        /// What there is.
        known: String,
    },
    /// More than a reason.
    #[error("say in one line of {LONGEST_REASON} characters at most why you need the session; the customer reads it")]
    Reason,
    /// Too long or no time at all.
    #[error("a session lasts 1 to {0} minutes")]
    Minutes(u32),
    /// The session's key.
    #[error(transparent)]
    Csr(#[from] InvalidCsr),
    /// The device is busy.
    #[error("this device has {LIVE_PER_DEVICE} sessions waiting or open already: end one first")]
    Busy,
    /// The organisation is busy.
    #[error("your organisation has {0} sessions waiting or open already, as many as it may: end one first")]
    OrganisationBusy(u32),
    /// Asked too often: each request is a row for ever, and may be a mail to each who decides.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The grant could not be made.
    #[error(transparent)]
    Open(#[from] OpenRefusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A request as it came, read.
struct Wish {
    device: DeviceId,
    services: Vec<ServiceName>,
    networks: Vec<ServiceName>,
    listens: Vec<ServiceName>,
    reason: Option<String>,
    minutes: u32,
    csr: Csr,
}

impl Wish {
    fn read(request: SessionRequest, most_minutes: u32) -> Result<Self, RequestRefusal> {
        let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let fits = |reason: &String| reason.chars().count() <= LONGEST_REASON && !reason.chars().any(char::is_control);
        if !reason.as_ref().is_none_or(fits) {
            return Err(RequestRefusal::Reason);
        }
        if request.minutes == 0 || request.minutes > most_minutes {
            return Err(RequestRefusal::Minutes(most_minutes));
        }
        let (services, networks) = (each_once(request.services), each_once(request.networks));
        let listens = each_once(request.listens);
        if services.is_empty() && networks.is_empty() && listens.is_empty() {
            return Err(RequestRefusal::NoServices);
        }
        let csr = Csr::parse(&request.csr)?;
        Ok(Self { device: request.device, services, networks, listens, reason, minutes: request.minutes, csr })
    }
}

fn each_once(mut names: Vec<ServiceName>) -> Vec<ServiceName> {
    names.sort();
    names.dedup();
    names
}

/// Asks for a session. The answer's state says what came of it: waiting, open or refused.
pub async fn request(
    kits: &Kits,
    by: &InstallerMember,
    request: SessionRequest,
) -> Result<NamedSession, RequestRefusal> {
    let wish = Wish::read(request, kits.config.sessions.max_minutes)?;
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    let ground =
        store::hold_ground(&mut tx, member.organisation_id, wish.device).await?.ok_or(RequestRefusal::UnknownDevice)?;
    let customer = ground.customer.ok_or(RequestRefusal::NotActive)?;
    let services = named_services(&wish.services, &ground.services)?;
    let networks = named_networks(&wish.networks, &ground.networks)?;
    let listens = named_listens(&wish.listens, &ground.listens)?;
    if store::live_on_device(&mut tx, wish.device).await? >= LIVE_PER_DEVICE {
        return Err(RequestRefusal::Busy);
    }
    let most = kits.config.sessions.live_per_organisation;
    store::hold_installer(&mut tx, member.organisation_id).await?;
    if store::live_of_installer(&mut tx, member.organisation_id).await? >= i64::from(most) {
        return Err(RequestRefusal::OrganisationBusy(most));
    }
    let asker = format!("{}|{}", member.user_id, wish.device);
    throttle_within(&mut tx, now, "session_request", &asker, REQUESTS_PER_HOUR, HOUR).await??;
    let ask = Ask {
        id: SessionId::make(now, &kits.random),
        device: wish.device,
        registration: ground.registration,
        epoch: ground.epoch,
        technician: member.user_id,
        installer: member.organisation_id,
        customer,
        services,
        networks,
        listens,
        reason: wish.reason,
        minutes: wish.minutes,
        csr: wish.csr.pem().to_owned(),
        key_thumbprint: wish.csr.thumbprint_hex(),
        requested_at: now,
    };
    let id = ask.id;
    store::insert(&mut tx, &ask).await?;
    record(&mut tx, kits, &ask, actor(member), "session_requested", asked(&ask)).await?;
    match machine::answer(ask, ground.consent, now) {
        Answer::Ask(_) => jobs::enqueue(&mut tx, kits, About::Request, id, customer).await?,
        Answer::Open(allowed) => decide::open(&mut tx, kits, allowed, ground.consent, Actor::Cloud).await?,
        Answer::Refuse(refused) => {
            store::refuse(&mut tx, &refused).await?;
            record(&mut tx, kits, &refused.ask, Actor::Cloud, "session_refused_by_rule", asked(&refused.ask)).await?;
        }
    }
    let session = store::named(&mut tx, Reader::Installer(member.organisation_id), id)
        .await?
        .ok_or(RequestRefusal::UnknownDevice)?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(session)
}

fn named_services(wanted: &[ServiceName], reported: &[Service]) -> Result<Vec<Service>, RequestRefusal> {
    let unknown = |name: &ServiceName| RequestRefusal::UnknownService {
        name: name.clone(),
        known: listed(reported.iter().map(|service| &service.name)),
    };
    let named = |name: &ServiceName| {
        reported.iter().find(|service| service.name == *name).cloned().ok_or_else(|| unknown(name))
    };
    wanted.iter().map(named).collect()
}

fn named_networks(wanted: &[ServiceName], reported: &[Network]) -> Result<Vec<Network>, RequestRefusal> {
    let unknown = |name: &ServiceName| RequestRefusal::UnknownNetwork {
        name: name.clone(),
        known: listed(reported.iter().map(|network| &network.name)),
    };
    let named = |name: &ServiceName| {
        reported.iter().find(|network| network.name == *name).cloned().ok_or_else(|| unknown(name))
    };
    wanted.iter().map(named).collect()
}

fn named_listens(wanted: &[ServiceName], reported: &[Listen]) -> Result<Vec<Listen>, RequestRefusal> {
    let unknown = |name: &ServiceName| RequestRefusal::UnknownListen {
        name: name.clone(),
        known: listed(reported.iter().map(|listen| &listen.name)),
    };
    let named =
        |name: &ServiceName| reported.iter().find(|listen| listen.name == *name).cloned().ok_or_else(|| unknown(name));
    wanted.iter().map(named).collect()
}

fn listed<'a>(names: impl Iterator<Item = &'a ServiceName>) -> String {
    let names: Vec<_> = names.map(ServiceName::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
