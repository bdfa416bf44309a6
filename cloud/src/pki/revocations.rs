//! The device CA's revocation list as a file, for an external broker that reads one. The embedded endpoint asks the
//! allow-list and never looks at it.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use gatelodge_proto::{CertificateSerial, Timestamp};
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject as _};
use x509_parser::{prelude::FromDer as _, revocation_list::CertificateRevocationList};

use super::{Pki, PkiError, authority::BACK_DATED};

const FILE: &str = "device-ca.crl";
/// A broker lets nobody in with a list that is past its next update, so it must outlast any outage of the cloud.
const GOOD_FOR: Duration = Duration::from_secs(397 * 86_400);
const RENEWED: Duration = Duration::from_secs(300 * 86_400);

impl Pki {
    /// The file that [`write_revocations`](Self::write_revocations) writes.
    pub fn revocations_file(&self) -> PathBuf {
        self.folder.path(FILE)
    }

    /// Writes the list of the device CA's certificates that let nobody in, each with since when; whether the file has
    /// changed. A list that says the same and is not near its end stays as it is.
    pub fn write_revocations(
        &self,
        revoked: &[(CertificateSerial, Timestamp)],
        now: Timestamp,
    ) -> Result<bool, PkiError> {
        let wanted: BTreeSet<&str> = revoked.iter().map(|(serial, _)| serial.as_str()).collect();
        let written = self.folder.exists(FILE).then(|| self.folder.read_public(FILE)).transpose()?;
        let written = written.as_deref().and_then(Written::read);
        if let Some(written) = &written
            && written.next_update > now + RENEWED
            && written.serials.iter().map(CertificateSerial::as_str).collect::<BTreeSet<_>>() == wanted
        {
            return Ok(false);
        }
        // Whoever holds two lists believes the one with the later time, which counts whole seconds.
        let after_the_last = written.map(|written| written.this_update + Duration::from_secs(1));
        let this_update = (now - BACK_DATED).max(after_the_last.unwrap_or(Timestamp::EPOCH));
        let list = self.devices.revocation_list(revoked, this_update, now + GOOD_FOR)?;
        self.folder.write_public(FILE, list.as_bytes())?;
        Ok(true)
    }
}

struct Written {
    serials: Vec<CertificateSerial>,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl Written {
    /// `None` for a file that is no list: it is written anew.
    fn read(pem: &str) -> Option<Self> {
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
        let serial = |entry: &x509_parser::revocation_list::RevokedCertificate<'_>| {
            CertificateSerial::from_bytes(&entry.user_certificate.to_bytes_be())
        };
        Some(Self {
            serials: list.iter_revoked_certificates().map(serial).collect(),
            this_update: Timestamp::from_seconds(list.last_update().timestamp()),
            next_update: Timestamp::from_seconds(list.next_update()?.timestamp()),
        })
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::Random;

    use super::*;
    use crate::{clock::Clock, pki::Names};

    #[test]
    fn it_is_written_when_it_says_something_else_and_always_later_than_before() {
        let dir = tempfile::tempdir().unwrap();
        let names = Names { server: vec!["127.0.0.1".into()], node: "a".into() };
        let now = Timestamp::from_seconds(1_800_000_000);
        let pki = Pki::open(dir.path(), &Clock::set_to(now), &Random::seeded(1), &names).unwrap();
        let read = || Written::read(&std::fs::read_to_string(pki.revocations_file()).unwrap()).unwrap();
        let one: (CertificateSerial, Timestamp) = ("7F01".parse().unwrap(), now);
        let other: (CertificateSerial, Timestamp) = ("40A2".parse().unwrap(), now);

        assert!(pki.write_revocations(&[], now).unwrap());
        assert!(read().serials.is_empty());
        assert!(!pki.write_revocations(&[], now).unwrap());
        let first = read().this_update;
        assert!(pki.write_revocations(std::slice::from_ref(&one), now).unwrap());
        let second = read();
        assert_eq!(second.serials, std::slice::from_ref(&one.0));
        assert!(second.this_update > first, "two lists of one second cannot be told apart");
        let both = [one, other];
        assert!(pki.write_revocations(&both, now).unwrap());
        assert!(read().this_update > second.this_update);
        assert!(!pki.write_revocations(&both, now + Duration::from_secs(96 * 86_400)).unwrap());
        assert!(pki.write_revocations(&both, now + Duration::from_secs(98 * 86_400)).unwrap());
        std::fs::write(pki.revocations_file(), "no list").unwrap();
        assert!(pki.write_revocations(&both, now).unwrap());
    }
}
