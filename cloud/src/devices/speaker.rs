//! Who speaks when a message of a device comes in: its row, and the certificates it may speak with. What a key said
//! before it lost its right may still wait at the endpoint; it is judged by the right of now.

use std::collections::BTreeMap;

use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, payload::Life};

use super::{
    model::{CertificateState, Names},
    store::{self, speakers::Row},
};
use crate::db::{DbError, Tx};

/// The devices that said something in a group, held until the transaction ends.
pub(super) struct Speakers(BTreeMap<DeviceId, Row>);

/// Who sent one message.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    device: DeviceId,
    row: &'a Row,
    /// `None` behind somebody else's broker, which does not tell.
    certificate: Option<&'a CertificateSerial>,
}

impl Speakers {
    /// Looks everybody up, and holds them; `devices` in the order of ids.
    pub(super) async fn hold(tx: &mut Tx, devices: &[DeviceId]) -> Result<Self, DbError> {
        Ok(Self(store::speakers::hold(tx, devices).await?))
    }

    /// This device, by a connection with `certificate`; `None` when there is no such device.
    pub(super) fn by<'a>(&'a self, device: DeviceId, certificate: Option<&'a CertificateSerial>) -> Option<Sender<'a>> {
        Some(Sender { device, row: self.0.get(&device)?, certificate })
    }
}

impl<'a> Sender<'a> {
    /// The device.
    pub(super) const fn device(self) -> DeviceId {
        self.device
    }

    /// What it is called.
    pub(super) const fn names(self) -> &'a Names {
        &self.row.names
    }

    /// Whether it is out of service for good.
    pub(super) fn is_retired(self) -> bool {
        self.row.life == Life::Retired
    }

    /// Whether the message counts: its sender's certificate was not taken back, or, where that is not known, the
    /// device has one that lets it in.
    pub(super) fn may_speak(self) -> bool {
        self.row.certificates.iter().any(|certificate| match self.certificate {
            Some(by) => certificate.serial == *by,
            None => certificate.state == CertificateState::Current,
        })
    }

    /// Whether it may ask for its next certificate: the one it has still lets it in.
    pub(super) fn may_renew(self, now: Timestamp) -> bool {
        self.row.certificates.iter().any(|certificate| {
            let good = certificate.state == CertificateState::Current && certificate.not_after > now;
            good && self.certificate.is_none_or(|by| certificate.serial == *by)
        })
    }
}
