//! Proof by the factory's secret: a nonce, and the answer that only a device of that batch can give.

use std::time::Duration;

use gatelodge_proto::{
    Timestamp,
    enrol::{self, Nonce},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{EnrolError, gate::limit};
use crate::{
    db::Tx,
    devices::{model::Device, store},
    kits::Kits,
    pki::Csr,
};

const NONCE_LIFE: Duration = Duration::from_secs(120);

/// A nonce for a factory secret.
pub async fn nonce(kits: &Kits, network: &str) -> Result<Nonce, EnrolError> {
    limit(kits, network).await?;
    let now = kits.now();
    let nonce = hex(&kits.random.bytes::<16>());
    let mut tx = kits.db.write().await?;
    store::enrolments::forget_nonces(&mut tx, now).await?;
    store::enrolments::insert_nonce(&mut tx, &Sha256::digest(&nonce), now + NONCE_LIFE).await?;
    tx.commit().await?;
    Ok(Nonce { nonce })
}

pub(super) async fn check_secret(
    tx: &mut Tx,
    kits: &Kits,
    now: Timestamp,
    device: &Device,
    csr: &Csr,
    nonce: &str,
    answer: &str,
) -> Result<(), EnrolError> {
    if !store::enrolments::use_nonce(tx, now, &Sha256::digest(nonce)).await? {
        return Err(EnrolError::Nonce);
    }
    let key = match device.batch.as_deref() {
        Some(batch) => kits.pki.batch(batch)?,
        None => None,
    };
    let Some(key) = key else { return Err(EnrolError::WrongProof) };
    let secret = key.factory_secret(device.names.id_code, &device.names.serial, device.names.mac);
    let expected = hex(&enrol::factory_answer(&secret, nonce, &csr.thumbprint()));
    if bool::from(expected.as_bytes().ct_eq(answer.to_ascii_lowercase().as_bytes())) {
        Ok(())
    } else {
        Err(EnrolError::WrongProof)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
