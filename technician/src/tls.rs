//! Whom this program trusts for the cloud's HTTPS certificate: public roots, or the CA file it is given.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

/// The CA file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the CA file {path} cannot be used: {reason}")]
pub struct CaFileError {
    path: PathBuf,
    reason: String,
}

/// The provider of this program. `main` installs it too, for libraries that ask for the default.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For HTTPS and web sockets to the cloud.
pub fn cloud_tls(ca_file: Option<&Path>) -> Result<ClientConfig, CaFileError> {
    let bad = |reason: &dyn std::fmt::Display| CaFileError {
        path: ca_file.map(Path::to_owned).unwrap_or_default(),
        reason: reason.to_string(),
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?;
    Ok(config.with_root_certificates(roots(ca_file, &bad)?).with_no_client_auth())
}

fn roots(
    ca_file: Option<&Path>,
    bad: &dyn Fn(&dyn std::fmt::Display) -> CaFileError,
) -> Result<RootCertStore, CaFileError> {
    let Some(path) = ca_file else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let pem = std::fs::read(path).map_err(|error| bad(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() { Err(bad(&"it holds no certificate")) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = cloud_tls(Some(&path)).unwrap_err().to_string();
        assert!(missing.contains("ca.pem") && missing.contains("No such file"), "{missing}");
        std::fs::write(&path, "nothing").unwrap();
        assert!(cloud_tls(Some(&path)).unwrap_err().to_string().contains("no certificate"));
        assert!(cloud_tls(None).is_ok());
    }
}
