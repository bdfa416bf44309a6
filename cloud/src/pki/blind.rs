//! The vendor's own CA for the names of pages that the portal cannot read (decision 0024). Its files are the vendor's;
//! browsers of technicians trust it, so that one which could sign any name is not taken.

use std::{path::Path, time::Duration};

use gatelodge_proto::{Random, Timestamp, payload::HostName};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{
    extensions::{GeneralName, GeneralSubtree},
    prelude::FromDer as _,
};

use super::{
    Csr, PkiError,
    authority::{base, fits},
    read_secret_file,
};
use crate::config::BlindFiles;

/// Signs for names below one domain.
pub struct BlindCa {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl BlindCa {
    /// Opens the files, and looks whether they can sign names below `domain` and only such.
    pub fn open(files: &BlindFiles, domain: &str, now: Timestamp) -> Result<Self, PkiError> {
        let bad = |path: &Path, reason: String| PkiError::BlindCa { path: path.to_owned(), reason };
        let no_certificate = |reason: String| bad(&files.certificate, reason);
        let certificate =
            std::fs::read_to_string(&files.certificate).map_err(|error| no_certificate(error.to_string()))?;
        let key =
            KeyPair::from_pem(&read_secret_file(&files.key)?).map_err(|error| bad(&files.key, error.to_string()))?;
        judge(&certificate, domain, now).map_err(no_certificate)?;
        if !fits(&certificate, &key) {
            return Err(bad(&files.key, "it is not the key of gateway.blind_ca_certificate".into()));
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| no_certificate(error.to_string()))?;
        Ok(Self { issuer, certificate })
    }

    /// Signs for exactly one name. The chain, in PEM, the certificate itself first.
    pub fn sign(
        &self,
        name: &HostName,
        csr: &Csr,
        now: Timestamp,
        life: Duration,
        random: &Random,
    ) -> Result<String, rcgen::Error> {
        let mut params = base(name.as_str(), now, now + life, random);
        params.subject_alt_names = CertificateParams::new(vec![name.to_string()])?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = SubjectPublicKeyInfo::from_der(csr.spki())?;
        Ok(params.signed_by(&key, &self.issuer)?.pem() + &self.certificate)
    }
}

fn judge(pem: &str, domain: &str, now: Timestamp) -> Result<(), String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "it holds no certificate in PEM")?;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(&der)
        .map_err(|_| "it holds a certificate that cannot be read")?;
    if !certificate.is_ca()
        || certificate.key_usage().is_ok_and(|usage| usage.is_some_and(|u| !u.value.key_cert_sign()))
    {
        return Err("it is no certificate of a CA".into());
    }
    let validity = certificate.validity();
    if !(validity.not_before.timestamp()..validity.not_after.timestamp()).contains(&now.seconds()) {
        return Err(format!("it is valid from {} to {} only", validity.not_before, validity.not_after));
    }
    // Every browser that trusts it would take whatever its key signs. Constraints of one kind bind no other (RFC 5280,
    // section 4.2.1.10).
    let constraints = certificate.name_constraints().ok().flatten().map(|constraints| constraints.value);
    let permitted = dns(constraints.and_then(|constraints| constraints.permitted_subtrees.as_ref()));
    let within = |name: &String| name == domain || name.ends_with(&format!(".{domain}"));
    if !permitted.iter().any(|name| name == domain) || !permitted.iter().all(within) {
        return Err(format!("its name constraints have to permit {domain}, and no name elsewhere"));
    }
    let excluded = constraints.and_then(|constraints| constraints.excluded_subtrees.as_ref());
    if dns(excluded).iter().any(|name| name == domain || domain.ends_with(&format!(".{name}"))) {
        return Err(format!("its name constraints exclude {domain}"));
    }
    let excludes = |every: &[u8]| {
        let is = |subtree: &GeneralSubtree<'_>| matches!(subtree.base, GeneralName::IPAddress(net) if net == every);
        excluded.into_iter().flatten().any(is)
    };
    if !excludes(&[0; 8]) || !excludes(&[0; 32]) {
        return Err("its name constraints have to exclude every address, of IPv4 and of IPv6".into());
    }
    Ok(())
}

fn dns(subtrees: Option<&Vec<GeneralSubtree<'_>>>) -> Vec<String> {
    let names = subtrees.into_iter().flatten().filter_map(|subtree| match &subtree.base {
        GeneralName::DNSName(name) => Some(name.trim_start_matches('.').to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::{BasicConstraints, CidrSubnet, GeneralSubtree, IsCa, NameConstraints};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    struct Made {
        folder: tempfile::TempDir,
        files: BlindFiles,
    }

    fn made(edit: impl FnOnce(&mut CertificateParams)) -> Made {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = base("Lodge pages", NOW, NOW + Duration::from_secs(86_400), &Random::seeded(1));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("web.example".into())],
            excluded_subtrees: addresses(),
        });
        edit(&mut params);
        let write = |name: &str, text: String| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let certificate = write("ca.pem", params.self_signed(&key).unwrap().pem());
        let key = write("ca.key", key.serialize_pem());
        Made { files: BlindFiles { certificate, key }, folder }
    }

    fn addresses() -> Vec<GeneralSubtree> {
        let every = [CidrSubnet::V4([0; 4], [0; 4]), CidrSubnet::V6([0; 16], [0; 16])];
        every.map(GeneralSubtree::IpAddress).into()
    }

    fn refusal(made: &Made) -> String {
        BlindCa::open(&made.files, "web.example", NOW).err().expect("it is refused").to_string()
    }

    #[test]
    fn only_a_ca_that_is_limited_to_the_domain_is_taken() {
        assert!(BlindCa::open(&made(|_| ()).files, "web.example", NOW).is_ok());
        let limited = |names: &[&str], excluded_subtrees| {
            let permitted_subtrees = names.iter().map(|name| GeneralSubtree::DnsName((*name).into())).collect();
            Some(NameConstraints { permitted_subtrees, excluded_subtrees })
        };
        let dns = |names: &[&str]| limited(names, addresses());
        let own = || vec![GeneralSubtree::DnsName("web.example".into())];
        for (edit, said) in [
            (made(|params| params.name_constraints = None), "name constraints"),
            (made(|params| params.name_constraints = dns(&["eb.example"])), "no name elsewhere"),
            (made(|params| params.name_constraints = dns(&[""])), "no name elsewhere"),
            (made(|params| params.name_constraints = dns(&["example"])), "no name elsewhere"),
            (made(|params| params.name_constraints = dns(&["web.example", "bank.example"])), "no name elsewhere"),
            (made(|params| params.name_constraints = limited(&["web.example"], Vec::new())), "every address"),
            (made(|params| params.name_constraints = limited(&["web.example"], own())), "exclude web.example"),
            (made(|params| params.is_ca = IsCa::ExplicitNoCa), "no certificate of a CA"),
            (made(|params| params.not_after = NOW.date_time()), "valid from"),
        ] {
            let refused = refusal(&edit);
            assert!(refused.contains(said) && refused.contains("ca.pem"), "{refused}");
        }
        let (mut one, other) = (made(|_| ()), made(|_| ()));
        one.files.key.clone_from(&other.files.key);
        assert!(refusal(&one).contains("it is not the key"), "{}", refusal(&one));
        one.files.certificate = one.folder.path().join("none.pem");
        assert!(refusal(&one).contains("none.pem"));
    }

    #[test]
    fn one_name_for_servers_and_a_short_life() {
        let ca = BlindCa::open(&made(|_| ()).files, "web.example", NOW).unwrap();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        // Whatever a request wishes for is not looked at.
        let wishes = CertificateParams::new(vec!["portal.example".to_owned()]).unwrap();
        let csr = Csr::parse(&wishes.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
        let name = "b-x.web.example".parse().unwrap();
        let chain = ca.sign(&name, &csr, NOW, Duration::from_secs(600), &Random::seeded(2)).unwrap();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(certificates.len(), 2);
        let (_, own) = x509_parser::certificate::X509Certificate::from_der(&certificates[0]).unwrap();
        let names = own.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::DNSName("b-x.web.example")]);
        assert_eq!(own.validity().not_after.timestamp(), NOW.seconds() + 600);
        let usage = own.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && !usage.client_auth && !own.is_ca());
    }
}
