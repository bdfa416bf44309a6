//! Who speaks when a message of a device comes in: its row, and the certificates it may speak with. What a key said
//! before it lost its right may still wait at the endpoint; it is judged by the right of now.

use std::collections::BTreeMap;

use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, topics::Topic};

use super::{
    model::{Certificate, CertificateState, Device},
    store,
};
use crate::{
    db::{DbError, Tx},
    mqtt::Incoming,
};

/// A device that said something, held until the transaction ends.
pub(super) struct Speaker {
    pub(super) device: Device,
    /// Of its present ownership, none taken back.
    certificates: Vec<Certificate>,
}

/// Who sent one message.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    speaker: &'a Speaker,
    /// `None` behind somebody else's broker, which does not tell.
    certificate: Option<&'a CertificateSerial>,
}

impl Speaker {
    /// This device, by a connection with `certificate`.
    pub(super) const fn by<'a>(&'a self, certificate: Option<&'a CertificateSerial>) -> Sender<'a> {
        Sender { speaker: self, certificate }
    }
}

impl<'a> Sender<'a> {
    /// The device.
    pub(super) const fn device(self) -> &'a Device {
        &self.speaker.device
    }

    /// Whether the message counts: its sender's certificate was not taken back, or, where that is not known, the
    /// device has one that lets it in.
    pub(super) fn may_speak(self) -> bool {
        self.speaker.certificates.iter().any(|certificate| match self.certificate {
            Some(by) => certificate.serial == *by,
            None => certificate.state == CertificateState::Current,
        })
    }

    /// Whether it may ask for its next certificate: the one it has still lets it in.
    pub(super) fn may_renew(self, now: Timestamp) -> bool {
        self.speaker.certificates.iter().any(|certificate| {
            let good = certificate.state == CertificateState::Current && certificate.not_after > now;
            good && self.certificate.is_none_or(|by| certificate.serial == *by)
        })
    }
}

/// Everybody who speaks in a group, each held; in the order of ids, so that two groups never wait for each other.
pub(super) async fn speakers(tx: &mut Tx, group: &[Incoming]) -> Result<BTreeMap<DeviceId, Speaker>, DbError> {
    let mut ids: Vec<DeviceId> = group.iter().filter_map(speaker).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut speakers = BTreeMap::new();
    for id in ids {
        let Some(device) = store::inventory::hold(tx, id).await? else { continue };
        let certificates = store::certificates::standing(tx, id, device.epoch).await?;
        speakers.insert(id, Speaker { device, certificates });
    }
    Ok(speakers)
}

fn speaker(incoming: &Incoming) -> Option<DeviceId> {
    match incoming {
        Incoming::Message { topic, .. } => match topic.parse() {
            Ok(Topic::Up(device, _)) => Some(device),
            Ok(Topic::Down(..)) | Err(_) => None,
        },
        Incoming::Left(device) | Incoming::Silent(device) => Some(*device),
    }
}
