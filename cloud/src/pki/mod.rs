//! The cloud's keys and certificates: one CA for devices, one for session keys, one for the portal and the device
//! endpoint, the key that signs grants, the one that seals secrets at rest, the factory's batch keys. Decides no identity: callers say who a key is.

mod authority;
mod batch;
mod blind;
mod csr;
mod files;
mod names;
mod revocations;
mod seal;

pub use authority::Issued;
pub use batch::{BatchKey, InvalidBatchName};
pub use blind::BlindCa;
pub use csr::{Csr, InvalidCsr};
pub use files::KeyFileError;
pub use names::Names;
pub use seal::{DoesNotOpen, Seal};

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use gatelodge_proto::{CertificateSerial, DeviceId, Random, SessionId, Timestamp, grant::GrantKey, topics};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use authority::{Authority, Usage};
use files::KeyFolder;

use crate::clock::Clock;

/// How long a device's certificate lives; the device renews it at two thirds.
pub const DEVICE_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long an expired certificate may still ask for renewal, and for nothing else.
pub const RENEWAL_GRACE: Duration = Duration::from_secs(90 * 86_400);
/// How long a session key's certificate lives at most; it is renewed while the grant lives.
pub const SESSION_LIFE: Duration = Duration::from_secs(15 * 60);

const SERVER_LIFE: Duration = Duration::from_secs(397 * 86_400);
const SERVER_RENEWAL: Duration = Duration::from_secs(30 * 86_400);
const SERVICE_LIFE: Duration = Duration::from_secs(825 * 86_400);

/// Why the cloud cannot use its keys.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file or the folder.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// A file holds something else than it should.
    #[error("{} cannot be used: {reason}; restore it from the backup", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The vendor's own CA for blind pages.
    #[error("{} cannot be used for web pages that the portal cannot read: {reason}; see docs/operate/web-pages.md", path.display())]
    BlindCa {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be signed: {0}")]
    Sign(#[from] rcgen::Error),
    /// No name for a file or a host.
    #[error(transparent)]
    BatchName(#[from] InvalidBatchName),
}

/// A certificate chain with its key, as TLS wants them.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

/// Everything the cloud signs with.
pub struct Pki {
    folder: KeyFolder,
    random: Random,
    devices: Authority,
    sessions: Authority,
    server: Authority,
    server_certificate: PathBuf,
    server_key: PathBuf,
    registrar: Registrar,
    grant_key: SigningKey,
    seal: Seal,
}

struct Registrar {
    node: String,
    serial: CertificateSerial,
    chain: String,
    key: Zeroizing<String>,
}

impl Pki {
    /// Opens `keys` in the data folder, makes what is not there yet and renews the server's certificate when it is
    /// near its end or its names have changed. Key files that others can read are refused.
    pub fn open(data_dir: &Path, clock: &Clock, random: &Random, names: &Names) -> Result<Self, PkiError> {
        let now = clock.now();
        let folder = KeyFolder::open(data_dir)?;
        let devices = Authority::open(&folder, "device-ca", "Gatelodge device CA", now, random)?;
        let sessions = Authority::open(&folder, "session-ca", "Gatelodge session CA", now, random)?;
        let server = Authority::open(&folder, "server-ca", "Gatelodge server CA", now, random)?;
        let server_certificate = folder.path("server.pem");
        let server_key = folder.path("server.key");
        if !server_is_good(&folder, &server, names, now)? {
            let (key, spki) = authority::generate_key()?;
            let issued = server.sign(&spki, &Usage::Server(names.server.clone()), now, now + SERVER_LIFE, random)?;
            // The key first: a crash between the two leaves a pair that does not fit, which the next start replaces.
            folder.write_secret("server.key", key.as_bytes())?;
            folder.write_public("server.pem", issued.chain.as_bytes())?;
        }
        let registrar = {
            let name = format!("{}registrar-{}", topics::SERVICE_PREFIX, names.node);
            let (key, spki) = authority::generate_key()?;
            let issued = devices.sign(&spki, &Usage::Service(name), now, now + SERVICE_LIFE, random)?;
            let node = format!("registrar-{}", names.node);
            Registrar { node, serial: issued.serial, chain: issued.chain, key }
        };
        let grant_key = grant_key(&folder, random)?;
        let seal = Seal::open_or_make(&folder, random)?;
        Ok(Self {
            folder,
            random: random.clone(),
            devices,
            sessions,
            server,
            server_certificate,
            server_key,
            registrar,
            grant_key,
            seal,
        })
    }

    /// Signs a device's key. The identity is the caller's word, from its own rows; the CSR gives the key alone.
    pub fn sign_device(&self, device: DeviceId, csr: &Csr, now: Timestamp) -> Result<Issued, PkiError> {
        self.devices.sign(csr.spki(), &Usage::Device(device), now, now + DEVICE_LIFE, &self.random)
    }

    /// Signs a session's key until `until`, at most [`SESSION_LIFE`] from now.
    pub fn sign_session_key(
        &self,
        csr: &Csr,
        session: SessionId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Issued, PkiError> {
        let until = until.min(now + SESSION_LIFE);
        self.sessions.sign(csr.spki(), &Usage::Session(session), now, until, &self.random)
    }

    /// PEM of the CA that signs devices.
    pub fn device_ca(&self) -> &str {
        self.devices.certificate()
    }

    /// The file with [`device_ca`](Self::device_ca).
    pub fn device_ca_file(&self) -> PathBuf {
        self.folder.path("device-ca.pem")
    }

    /// PEM of the CA that signs session keys.
    pub fn session_ca(&self) -> &str {
        self.sessions.certificate()
    }

    /// PEM of the CA behind portal and device endpoint, for agents and technicians to trust.
    pub fn server_ca(&self) -> &str {
        self.server.certificate()
    }

    /// The file with [`server_ca`](Self::server_ca), readable by everybody who may enter the folder.
    pub fn server_ca_file(&self) -> PathBuf {
        self.folder.path("server-ca.pem")
    }

    /// The chain and the key of portal and device endpoint, as files.
    pub fn server_files(&self) -> (&Path, &Path) {
        (&self.server_certificate, &self.server_key)
    }

    /// The chain and the key of portal and device endpoint.
    pub fn server_identity(&self) -> Result<Identity, PkiError> {
        let (chain, key) = (self.folder.read_public("server.pem")?, self.folder.read_secret("server.key")?);
        identity(&chain, &key, &self.server_certificate)
    }

    /// The registrar's client identity on the device endpoint.
    pub fn registrar_identity(&self) -> Result<Identity, PkiError> {
        identity(&self.registrar.chain, &self.registrar.key, &self.folder.path("device-ca.pem"))
    }

    /// The registrar's certificate; made anew at each start.
    pub fn registrar_serial(&self) -> &CertificateSerial {
        &self.registrar.serial
    }

    /// The registrar's name on the device endpoint without its `svc-` prefix: `registrar-<node>`.
    pub fn registrar_name(&self) -> &str {
        &self.registrar.node
    }

    /// The share under which the nodes of this cloud, and nobody who lacks its keys, take messages from a broker.
    pub fn share_name(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"gatelodge registrars").chain_update(self.grant_key.to_bytes()).finalize();
        digest.iter().take(16).fold(String::from("registrar-"), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// The key that signs grants.
    pub const fn grant_key(&self) -> &SigningKey {
        &self.grant_key
    }

    /// Its public half, as devices keep it.
    pub fn grant_public_key(&self) -> GrantKey {
        GrantKey::of(&self.grant_key)
    }

    /// Seals secrets that the database keeps.
    pub const fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Makes the key of a factory batch, from which each unit's secret follows; gives the file.
    pub fn make_batch(&self, name: &str) -> Result<PathBuf, PkiError> {
        batch::make(&self.folder, name, &self.random)
    }

    /// The key of a factory batch; `None` when no such batch was made.
    pub fn batch(&self, name: &str) -> Result<Option<BatchKey>, PkiError> {
        batch::read(&self.folder, name)
    }
}

/// A secret that the settings name, outside the data folder, like `http.key_file`; refused when other users can read it.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    files::read_secret_file(path)
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn server_is_good(
    folder: &KeyFolder,
    authority: &Authority,
    names: &Names,
    now: Timestamp,
) -> Result<bool, KeyFileError> {
    if !(folder.exists("server.pem") && folder.exists("server.key")) {
        return Ok(false);
    }
    let (chain, key) = (folder.read_public("server.pem")?, folder.read_secret("server.key")?);
    Ok(authority.is_good_server(&chain, &key, &names.server, now + SERVER_RENEWAL))
}

fn grant_key(folder: &KeyFolder, random: &Random) -> Result<SigningKey, PkiError> {
    let broken = |reason: String| PkiError::Broken { path: folder.path("grant.key"), reason };
    if folder.exists("grant.key") {
        let pem = folder.read_secret("grant.key")?;
        return SigningKey::from_pkcs8_pem(&pem).map_err(|error| broken(error.to_string()));
    }
    let key = SigningKey::from_bytes(&random.bytes());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| broken(error.to_string()))?;
    folder.write_secret("grant.key", pem.as_bytes())?;
    Ok(key)
}

fn identity(chain: &str, key: &str, path: &Path) -> Result<Identity, PkiError> {
    let broken = |reason: String| PkiError::Broken { path: path.to_owned(), reason };
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| broken(error.to_string()))?;
    Ok(Identity { chain, key })
}

#[cfg(test)]
mod tests;
