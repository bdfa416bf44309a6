//! I9 and I10 inside certificates: each says who its row says it is, and no two devices share an identity.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use gatelodge_cloud::{
    db::{Db, DbError, Ts},
    run,
};
use gatelodge_proto::{CertificateSerial, DeviceId, Timestamp, enrol};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use uuid::Uuid;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{Finding, Progress, rows::Rows};

pub(super) struct Keys {
    pub(super) certificates: u64,
    pub(super) findings: Vec<Finding>,
}

#[derive(sqlx::FromRow)]
struct Row {
    serial: String,
    device_id: Uuid,
    key_thumbprint: String,
    chain: String,
    not_after: Ts,
}

/// What a certificate says otherwise than its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Differs {
    Unreadable,
    Serial,
    Device,
    Key,
    End,
}

const KINDS: [(Differs, &str, &str); 5] = [
    (Differs::Unreadable, "I9", "the certificate in this row cannot be read, so nobody can say whom it lets in"),
    (
        Differs::Serial,
        "I9",
        "the certificate has another serial number than its row: revoking the row does not keep it out",
    ),
    (Differs::Device, "I10", "the certificate names another device than its row: it lets one device in as another"),
    (Differs::Key, "I10", "the certificate is for another key than its row says"),
    (Differs::End, "I9", "the certificate ends at another time than its row says"),
];
const NEXT: &str = "revoke the device in the portal, let it enrol again, and find out who could write to the database";

pub(super) fn meanings() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.into_iter().map(|(_, invariant, meaning)| (invariant, meaning))
}

fn differs(row: &Row) -> Option<Differs> {
    let Ok(der) = CertificateDer::from_pem_slice(row.chain.as_bytes()) else { return Some(Differs::Unreadable) };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return Some(Differs::Unreadable) };
    if CertificateSerial::from_bytes(certificate.raw_serial()).as_str() != row.serial {
        return Some(Differs::Serial);
    }
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    if name != Some(DeviceId::from_uuid(row.device_id).to_string().as_str()) {
        return Some(Differs::Device);
    }
    let key = enrol::key_thumbprint(certificate.public_key().raw);
    let hex = |mut hex: String, byte: &u8| {
        let _ = write!(hex, "{byte:02x}");
        hex
    };
    if key.iter().fold(String::new(), hex) != row.key_thumbprint {
        return Some(Differs::Key);
    }
    let end = certificate.validity().not_after.timestamp();
    let told = Timestamp::from(row.not_after).micros().div_euclid(1_000_000);
    (end != told).then_some(Differs::End)
}

pub(super) async fn look(db: &Db, progress: &Progress) -> Result<Keys, DbError> {
    let mut tx = db.snapshot().await?;
    let mut certificates = 0_u64;
    let mut kinds = KINDS.map(|_| Rows::default());
    run!(&mut tx, c => async {
        let mut rows = sqlx::query_as::<_, Row>(
            "SELECT serial, device_id, key_thumbprint, chain, not_after FROM certificate ORDER BY serial",
        )
        .fetch(c);
        while let Some(row) = rows.try_next().await? {
            certificates += 1;
            progress.send_replace(format!("I9, certificate {certificates}"));
            let Some(found) = differs(&row) else { continue };
            if let Some(place) = KINDS.iter().position(|(kind, ..)| *kind == found) {
                kinds[place].add(|| row.serial.clone());
            }
        }
        Ok::<_, sqlx::Error>(())
    })?;
    let told = KINDS
        .iter()
        .zip(kinds)
        .filter_map(|((_, invariant, meaning), rows)| rows.told(invariant, "certificate", meaning, NEXT));
    Ok(Keys { certificates, findings: told.collect() })
}
