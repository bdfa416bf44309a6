//! A technician asks for a session: the customer's rule answers, or the customer is asked.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, SessionId,
    api::SessionRequest,
    opening::Standing,
    payload::{self, Consent, Feature, Listen, Service, ServiceName, TicketNumber},
};

use serde_json::json;

use super::{
    break_glass::{self, NoBreakGlass},
    decide::{self, OpenRefusal},
    emergency, grant,
    jobs::{self, About},
    key,
    machine::{self, Answer, Hold},
    model::{Ask, LIVE_PER_DEVICE, LONGEST_REASON, NamedSession},
    record::{actor, asked, record},
    store::{self, Reader},
};
use crate::{
    accounts::{
        model::Network,
        recording_key,
        rights::InstallerMember,
        second_factor::{self, SecondFactorNeeded},
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
    /// Pages that the portal cannot read, and something beside them.
    #[error("`web_blind` is asked for alone: without another feature and without ports for calls")]
    BlindAlone,
    /// The vendor has stopped it all.
    #[error("the vendor has stopped remote access here for now: {0}")]
    Stopped(String),
    /// A password alone opens nothing.
    #[error(transparent)]
    SecondFactor(#[from] SecondFactorNeeded),
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
    /// The device does not offer this.
    #[error("the device's own settings do not offer `{feature}`; they offer {known}")]
    UnknownFeature {
        /// What was asked for.
        feature: Feature,
        /// What there is.
        known: String,
    },
    /// Nobody could read what is recorded.
    #[error("a terminal is recorded for the customer and for you alone to read, and {0}")]
    NoRecordingKey(Unkeyed),
    /// More than a reason.
    #[error("say in one line of {LONGEST_REASON} characters at most why you need the session; the customer reads it")]
    Reason,
    /// Nobody enters in an emergency without an answer, or not this person.
    #[error(transparent)]
    BreakGlass(#[from] NoBreakGlass),
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

/// Who has no recording key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unkeyed {
    /// The technician's organisation.
    #[error("your organisation has no recording passphrase yet")]
    Installer,
    /// The customer.
    #[error("the customer has no recording passphrase yet")]
    Customer,
}

/// A request as it came, read.
struct Wish {
    device: DeviceId,
    services: Vec<ServiceName>,
    networks: Vec<ServiceName>,
    listens: Vec<ServiceName>,
    features: Vec<Feature>,
    ticket_number: Option<TicketNumber>,
    reason: Option<String>,
    break_glass: bool,
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
        let features = each_once(request.features);
        let does = features.iter().any(|feature| !feature.is_for_browsers());
        if features.contains(&Feature::WebBlind) && (features.len() > 1 || !listens.is_empty()) {
            return Err(RequestRefusal::BlindAlone);
        }
        if services.is_empty() && networks.is_empty() && listens.is_empty() && !does {
            return Err(RequestRefusal::NoServices);
        }
        let csr = Csr::parse(&request.csr)?;
        let SessionRequest { device, minutes, ticket_number, break_glass, .. } = request;
        Ok(Self { device, services, networks, listens, features, ticket_number, reason, break_glass, minutes, csr })
    }
}

fn each_once<T: Ord>(mut names: Vec<T>) -> Vec<T> {
    names.sort();
    names.dedup();
    names
}

/// A request, and from which network it comes.
#[derive(Debug, Clone)]
pub struct Asked {
    request: SessionRequest,
    from: Option<Network>,
}

impl Asked {
    /// As it came over the network.
    pub const fn from_network(request: SessionRequest, from: Network) -> Self {
        Self { request, from: Some(from) }
    }
}

impl From<SessionRequest> for Asked {
    fn from(request: SessionRequest) -> Self {
        Self { request, from: None }
    }
}

/// Asks for a session. The answer's state says what came of it: waiting, open or refused.
pub async fn request(
    kits: &Kits,
    by: &InstallerMember,
    asked_for: impl Into<Asked>,
) -> Result<NamedSession, RequestRefusal> {
    let Asked { request, from } = asked_for.into();
    let wish = Wish::read(request, kits.config.sessions.max_minutes)?;
    let (member, now) = (by.member(), kits.now());
    let mut tx = kits.db.write().await?;
    second_factor::check(&mut tx, kits, by.signed_in()).await??;
    let ground = store::hold_ground(&mut tx, now, member.organisation_id, wish.device)
        .await?
        .ok_or(RequestRefusal::UnknownDevice)?;
    let customer = ground.customer.ok_or(RequestRefusal::NotActive)?;
    if let Some(reason) = emergency::reason(&mut tx, member.organisation_id, wish.device).await? {
        return Err(RequestRefusal::Stopped(reason));
    }
    let services = named_services(&wish.services, &ground.services)?;
    let networks = named_networks(&wish.networks, &ground.networks)?;
    let listens = named_listens(&wish.listens, &ground.listens)?;
    if let Some(feature) = wish.features.iter().find(|feature| !ground.features.contains(feature)) {
        return Err(RequestRefusal::UnknownFeature {
            feature: *feature,
            known: listed(ground.features.iter().map(|feature| feature.word())),
        });
    }
    if wish.features.contains(&Feature::Terminal) {
        for (organisation, unkeyed) in [(member.organisation_id, Unkeyed::Installer), (customer, Unkeyed::Customer)] {
            if recording_key::current(&mut tx, organisation).await?.is_none() {
                return Err(RequestRefusal::NoRecordingKey(unkeyed));
            }
        }
    }
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
    // Where the rule opens or refuses, there is no glass to break.
    let break_glass = wish.break_glass && ground.rule == Standing::Ask;
    let hold = key::hold(&mut tx, wish.device).await?;
    if break_glass {
        break_glass::check(&mut tx, now, wish.device, ground.break_glass, member, wish.reason.as_deref()).await??;
    }
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
        features: wish.features,
        reason: wish.reason,
        ticket_number: wish.ticket_number,
        break_glass,
        minutes: wish.minutes,
        csr: wish.csr.pem().to_owned(),
        key_thumbprint: wish.csr.thumbprint_hex(),
        requested_at: now,
    };
    let id = ask.id;
    store::insert(&mut tx, &ask).await?;
    let mut details = asked(&ask);
    details["organisation"] = json!(member.organisation_name);
    details["from"] = json!(from.as_ref().map(Network::as_str));
    record(&mut tx, kits, &ask, actor(member), "session_requested", details).await?;
    let mut by_key = None;
    let answer = match machine::answer(ask, ground.rule, now) {
        // No rule of the cloud's speaks for the key: what it has signed does, or it is asked.
        Answer::Open(allowed) if hold == Hold::Key => {
            let consent = if break_glass { Consent::Ask } else { Consent::Always };
            by_key = decide::covered(&mut tx, kits, &allowed, consent).await?;
            match by_key {
                Some(_) => Answer::Open(allowed),
                None if break_glass => return Err(NoBreakGlass::Pinned.into()),
                None => Answer::Ask(allowed.ask_first()),
            }
        }
        answer => answer,
    };
    match answer {
        Answer::Ask(waiting) => {
            grant::want_to_open(&mut tx, kits, &waiting).await?;
            jobs::enqueue(&mut tx, kits, About::Request, id, customer).await?;
        }
        Answer::Open(allowed) if break_glass => {
            decide::open(&mut tx, kits, allowed, Consent::Ask, by_key, actor(member)).await?;
            for organisation in [customer, member.organisation_id] {
                jobs::enqueue_broken(&mut tx, kits, id, organisation).await?;
            }
        }
        Answer::Open(allowed) => decide::open(&mut tx, kits, allowed, Consent::Always, by_key, Actor::Cloud).await?,
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
        known: listed(reported.iter().map(|service| service.name.as_str())),
    };
    let named = |name: &ServiceName| {
        reported.iter().find(|service| service.name == *name).cloned().ok_or_else(|| unknown(name))
    };
    wanted.iter().map(named).collect()
}

fn named_networks(
    wanted: &[ServiceName],
    reported: &[payload::Network],
) -> Result<Vec<payload::Network>, RequestRefusal> {
    let unknown = |name: &ServiceName| RequestRefusal::UnknownNetwork {
        name: name.clone(),
        known: listed(reported.iter().map(|network| network.name.as_str())),
    };
    let named = |name: &ServiceName| {
        reported.iter().find(|network| network.name == *name).cloned().ok_or_else(|| unknown(name))
    };
    wanted.iter().map(named).collect()
}

fn named_listens(wanted: &[ServiceName], reported: &[Listen]) -> Result<Vec<Listen>, RequestRefusal> {
    let unknown = |name: &ServiceName| RequestRefusal::UnknownListen {
        name: name.clone(),
        known: listed(reported.iter().map(|listen| listen.name.as_str())),
    };
    let named =
        |name: &ServiceName| reported.iter().find(|listen| listen.name == *name).cloned().ok_or_else(|| unknown(name));
    wanted.iter().map(named).collect()
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
