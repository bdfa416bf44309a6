//! Joining an open session: a certificate for the technician's key, a ticket for each side, and the order to the
//! device to come. May be asked again while the session is open and the technician's place at the relay is free. An end
//! whose connection broke comes again by its pledge and needs no second join; whoever joins while it has its place is
//! refused by the relay, and its pledge stays what it was.

use gatelodge_proto::{
    SessionId,
    api::{Join, RELAY_PATH},
    payload::{Feature, Order, SessionOrder},
};
use url::Url;

use super::{
    machine::{Open, Refusal, Session},
    model::{Credential, Side, TICKET_LIFE, Ticket},
    store,
};
use crate::{
    accounts::rights::InstallerMember,
    db::{DbError, Tx},
    devices::service as devices,
    kits::Kits,
    pki::{Csr, InvalidCsr, PkiError},
};

/// Why a session cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinRefusal {
    /// No such session, or it is somebody else's: both look the same.
    #[error("there is no such session among yours")]
    Unknown,
    /// Not open.
    #[error(transparent)]
    State(#[from] Refusal),
    /// The stored key request cannot be read any more.
    #[error("the session's key cannot be certified")]
    Key(#[from] InvalidCsr),
    /// Signing failed.
    #[error("the session's key cannot be certified")]
    Pki(#[from] PkiError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Gives the technician who asked for the session what their program needs to join it, and calls the device.
pub async fn join(kits: &Kits, by: &InstallerMember, id: SessionId) -> Result<Join, JoinRefusal> {
    let member = by.member();
    let mut tx = kits.db.write().await?;
    let found = store::hold(&mut tx, id)
        .await?
        .filter(|found| {
            let ask = found.ask();
            ask.installer == member.organisation_id && ask.technician == member.user_id
        })
        .ok_or(JoinRefusal::Unknown)?;
    let open = found.open()?;
    let now = kits.now();
    let ground = store::ground(&mut tx, now, open.ask.installer, open.ask.device).await?;
    if !ground.is_some_and(|ground| ground.is_of(&open.ask)) || open.lapsed(now).is_some() {
        return Err(Refusal::Ended.into());
    }
    give(tx, kits, open).await
}

/// Certifies the key, gives a ticket to each side, and calls the device.
pub(super) async fn give(mut tx: Tx, kits: &Kits, open: Session<Open>) -> Result<Join, JoinRefusal> {
    let (id, now) = (open.ask.id, kits.now());
    let until = open.state.until;
    let issued = kits.pki.sign_session_key(&Csr::parse(&open.ask.csr)?, id, now, until)?;
    let (mine, theirs) = (Ticket::from_bytes(kits.random.bytes()), Ticket::from_bytes(kits.random.bytes()));
    store::insert_ticket(&mut tx, now, id, Side::Technician, &mine).await?;
    store::insert_ticket(&mut tx, now, id, Side::Device, &theirs).await?;
    let records = open.ask.features.contains(&Feature::Terminal);
    let credential = records.then(|| Credential::from_bytes(kits.random.bytes()));
    if let Some(credential) = &credential {
        store::insert_credential(&mut tx, now, id, credential).await?;
    }
    let relay = relay_address(&kits.config.device_url);
    let order = Order::OpenSession(Box::new(SessionOrder {
        grant: open.state.grant.clone(),
        proof: open.state.word.proof.clone(),
        relay: relay.clone(),
        ticket: theirs.reveal(),
        recording: credential.as_ref().map(Credential::reveal),
    }));
    devices::send(&mut tx, now, &kits.random, open.ask.device, order, now + TICKET_LIFE).await?;
    tx.commit().await?;
    kits.jobs.ring();
    Ok(Join {
        relay,
        ticket: mine.reveal(),
        chain: issued.chain,
        device_ca: kits.pki.device_ca().to_owned(),
        device: open.ask.device,
        grant: open.state.grant,
        until,
    })
}

/// Where the relay is, as both sides reach it.
fn relay_address(device_url: &Url) -> String {
    let mut url = device_url.clone();
    url.set_path(RELAY_PATH);
    let text = url.to_string();
    match text.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_is_where_programs_reach_the_cloud() {
        assert_eq!(relay_address(&"https://lodge.example:8443/".parse().unwrap()), "wss://lodge.example:8443/relay/v1");
        assert_eq!(relay_address(&"http://localhost:8080".parse().unwrap()), "ws://localhost:8080/relay/v1");
    }
}
