//! What the cloud thinks of a key that could not connect.

use gatelodge_proto::{
    enrol::{Standing, StandingRequest},
    payload::Life,
};

use super::{EnrolError, gate::limit};
use crate::{
    devices::{model::CertificateState, store},
    kits::Kits,
    pki::Csr,
};

/// What the cloud thinks of a key whose certificate was refused.
pub async fn standing(kits: &Kits, network: &str, request: &StandingRequest) -> Result<Standing, EnrolError> {
    limit(kits, network).await?;
    let csr = Csr::parse(&request.csr)?;
    let now = kits.now();
    let mut tx = kits.db.read().await?;
    let certificates = store::certificates::by_key(&mut tx, &csr.thumbprint_hex()).await?;
    let Some(newest) = certificates.first() else { return Ok(Standing::Unknown) };
    let Some(device) = store::inventory::by_id(&mut tx, newest.device).await? else { return Ok(Standing::Unknown) };
    if device.life == Life::Retired {
        return Ok(Standing::Retired);
    }
    if newest.epoch != device.epoch {
        return Ok(Standing::Released);
    }
    let good = certificates
        .into_iter()
        .find(|certificate| certificate.state == CertificateState::Current && certificate.not_after > now);
    Ok(good.map_or(Standing::Unknown, |certificate| Standing::Current { chain: certificate.chain }))
}
