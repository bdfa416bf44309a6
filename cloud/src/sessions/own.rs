//! Somebody of the customer opens the device's own page: a session in their own name. The press is the consent to it;
//! everything else is as in any session: the grant, the device's word, the audit, the end.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, SessionId,
    api::Join,
    opening::Standing,
    payload::{Consent, EndReason, Feature, Protocol, Service},
};

use super::{
    decide::{self, OpenRefusal},
    emergency,
    end::finish,
    grant,
    join::{self, JoinRefusal},
    key,
    machine::{self, Answer, Hold, Refusal},
    model::{Ask, LIVE_PER_DEVICE},
    record::{actor, asked, record},
    store,
};
use crate::{
    accounts::{
        model::Member,
        rights::CustomerMember,
        service::{Throttled, throttle_within},
    },
    db::{DbError, Tx},
    kits::Kits,
    pki::{Csr, InvalidCsr},
};

/// For so long, unless it is closed or idle before.
const MINUTES: u32 = 120;
/// Of one person on one device in an hour.
const PAGES_PER_HOUR: u32 = 60;
const HOUR: Duration = Duration::from_secs(3_600);

/// Why the page does not open.
#[derive(Debug, thiserror::Error)]
pub enum OwnRefusal {
    /// No such device, or it is another customer's: both look the same.
    #[error("there is no such device among yours")]
    Unknown,
    /// The device has no page of its own, or its settings let no browser in.
    #[error("this device offers no page of its own")]
    NoPage,
    /// The customer's own rule: the device itself lets nobody in.
    #[error("your rule for this device lets nobody in; choose another to open its page")]
    Never,
    /// The vendor's emergency stop.
    #[error("sessions are stopped in an emergency: {0}")]
    Stopped(String),
    /// The device is busy.
    #[error("this device has {LIVE_PER_DEVICE} sessions open already: end one first")]
    Busy,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The session's key.
    #[error(transparent)]
    Csr(#[from] InvalidCsr),
    /// The grant could not be made.
    #[error(transparent)]
    Open(#[from] OpenRefusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The service at which a device's own page is: named so by whoever set the device up, else on the device itself.
pub fn own_page(services: &[Service]) -> Option<&Service> {
    let pages = || services.iter().filter(|service| service.protocol == Protocol::Tcp);
    let named = |name: &str| pages().find(|service| service.name.as_str() == name);
    let local = |service: &&Service| matches!(service.host.as_str(), "localhost" | "127.0.0.1" | "::1");
    let is_web =
        |service: &&Service| service.name.as_str().split('-').any(|word| matches!(word, "web" | "http" | "https"));
    named("web").or_else(|| pages().filter(is_web).find(local)).or_else(|| pages().find(is_web))
}

/// Opens a session for the device's own page; where the customer's key is pinned on the device, it waits for what that
/// key signs, as one that a technician asked for does.
pub async fn open(
    kits: &Kits,
    by: &CustomerMember,
    device: DeviceId,
    csr: &str,
) -> Result<(SessionId, Service), OwnRefusal> {
    let (member, now) = (by.member(), kits.now());
    let csr = Csr::parse(csr)?;
    let mut tx = kits.db.write().await?;
    let ground =
        store::hold_own_ground(&mut tx, now, member.organisation_id, device).await?.ok_or(OwnRefusal::Unknown)?;
    if let Some(reason) = emergency::reason(&mut tx, member.organisation_id, device).await? {
        return Err(OwnRefusal::Stopped(reason));
    }
    if ground.rule == Standing::Never {
        return Err(OwnRefusal::Never);
    }
    let service = own_page(&ground.services).filter(|_| ground.features.contains(&Feature::Web));
    let service = service.cloned().ok_or(OwnRefusal::NoPage)?;
    let hold = key::hold(&mut tx, device).await?;
    given_up(&mut tx, kits, member, device).await?;
    if store::live_on_device(&mut tx, device).await? >= LIVE_PER_DEVICE {
        return Err(OwnRefusal::Busy);
    }
    let asker = format!("{}|{device}", member.user_id);
    throttle_within(&mut tx, now, "own_page", &asker, PAGES_PER_HOUR, HOUR).await??;
    let ask = Ask {
        id: SessionId::make(now, &kits.random),
        device,
        registration: ground.registration,
        epoch: ground.epoch,
        technician: member.user_id,
        installer: member.organisation_id,
        customer: member.organisation_id,
        services: vec![service.clone()],
        networks: Vec::new(),
        listens: Vec::new(),
        features: vec![Feature::Web],
        reason: None,
        ticket_number: None,
        break_glass: false,
        minutes: MINUTES.min(kits.config.sessions.max_minutes),
        csr: csr.pem().to_owned(),
        key_thumbprint: csr.thumbprint_hex(),
        requested_at: now,
    };
    let id = ask.id;
    store::insert(&mut tx, &ask).await?;
    record(&mut tx, kits, &ask, actor(member), "own_page_asked", asked(&ask)).await?;
    // Whatever the rule says to others, this is the person it asks.
    if let Answer::Ask(waiting) = machine::answer(ask, Consent::Ask, now) {
        match hold {
            Hold::Key => grant::want_to_open(&mut tx, kits, &waiting).await?,
            Hold::Cloud => {
                let allowed = waiting.allow(Some(member.user_id), now);
                decide::open(&mut tx, kits, allowed, ground.rule.consent(), None, actor(member)).await?;
            }
        }
    }
    tx.commit().await?;
    kits.jobs.ring();
    Ok((id, service))
}

/// Ends what this person asked for before and never signed.
async fn given_up(tx: &mut Tx, kits: &Kits, member: &Member, device: DeviceId) -> Result<(), DbError> {
    for id in store::waiting_on(tx, device).await? {
        let Some(found) = store::hold(tx, id).await? else { continue };
        let ask = found.ask();
        if ask.is_own() && ask.customer == member.organisation_id && ask.technician == member.user_id {
            finish(tx, kits, found, EndReason::Technician, actor(member)).await?;
        }
    }
    Ok(())
}

/// What is needed to join it.
pub async fn join(kits: &Kits, by: &CustomerMember, id: SessionId) -> Result<Join, JoinRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let found = store::hold(&mut tx, id)
        .await?
        .filter(|found| {
            let ask = found.ask();
            ask.is_own() && ask.customer == member.organisation_id && ask.technician == member.user_id
        })
        .ok_or(JoinRefusal::Unknown)?;
    let open = found.open()?;
    let now = kits.now();
    let ground = store::hold_own_ground(&mut tx, now, member.organisation_id, open.ask.device).await?;
    if !ground.is_some_and(|ground| ground.is_of(&open.ask)) || open.lapsed(now).is_some() {
        return Err(Refusal::Ended.into());
    }
    join::give(tx, kits, open).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, protocol: Protocol, host: &str) -> Service {
        Service { name: name.parse().unwrap(), protocol, host: host.into(), port: 80 }
    }

    #[test]
    fn a_devices_own_page_is_the_one_that_is_named_so_or_the_one_on_the_device() {
        use Protocol::{Tcp, Udp};
        let found = |services: &[Service]| own_page(services).map(|service| service.name.to_string());
        let neighbour = service("panel-web", Tcp, "192.168.1.50");
        let local = service("status-http", Tcp, "127.0.0.1");
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[service("panel", Tcp, "127.0.0.1"), service("web", Udp, "127.0.0.1")]), None);
        assert_eq!(found(std::slice::from_ref(&neighbour)).as_deref(), Some("panel-web"));
        assert_eq!(found(&[neighbour.clone(), local.clone()]).as_deref(), Some("status-http"));
        assert_eq!(found(&[neighbour, local, service("web", Tcp, "192.168.1.60")]).as_deref(), Some("web"));
    }
}
