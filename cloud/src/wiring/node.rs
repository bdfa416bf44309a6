//! One running cloud: opens the kits, listens, does the jobs, and stops in order.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router, middleware::from_fn_with_state};
use gatelodge_proto::{Random, payload::EndReason};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{jobs, prune, routes};
use crate::{
    activation,
    clock::Clock,
    config::{Config, HttpTls},
    db::{ConnectError, Db, DbError},
    devices,
    gateway::{self, Gateway},
    jobs::Bell,
    kits::Kits,
    limits::Limits,
    mail::{MailSettingsError, Mailer},
    mqtt::{Endpoint, EndpointError},
    pki::{self, BlindCa, Names, Pki, PkiError},
    sessions::{
        self,
        relay::{Relay, Settings},
    },
    web::{self, Hardening, ServeError, Serving},
};

/// The addresses a node listens on, for programs on the same machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addresses {
    /// Portal, API, enrolment and relay, with TLS.
    pub https: SocketAddr,
    /// The portal without TLS, on loopback.
    pub loopback: Option<SocketAddr>,
    /// The embedded device endpoint.
    pub mqtt: Option<SocketAddr>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// Sessions of the run before could not be ended.
    #[error("the sessions of the run before could not be ended: see the cause and start again")]
    Recover(#[from] DbError),
    /// Keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Mail settings.
    #[error(transparent)]
    Mail(#[from] MailSettingsError),
    /// Devices cannot be heard.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// An address is taken or not ours.
    #[error("the portal cannot listen on {address}: {}; change `{key}`", listen_reason(.source))]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A certificate or key file of the settings.
    #[error("{} cannot be used for the portal: {reason}; check `http.cert_file` and `http.key_file`", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The portal's TLS settings.
    #[error("the portal's certificate and key do not fit together")]
    Tls(#[from] rustls::Error),
    /// The public address is no origin.
    #[error("`public_url` is no address browsers can use as an origin: {0}")]
    Origin(String),
    /// Serving failed at its start.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

fn listen_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program does already".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need a right this user does not have".to_owned(),
        _ => error.to_string(),
    }
}

/// Opens database, keys and mail: enough for the verbs of the command line; nothing listens yet.
pub async fn open_kits(config: Config, clock: Clock, random: Random) -> Result<Kits, StartError> {
    let db = Db::open(&config.database).await?;
    let pki = Arc::new(Pki::open(&config.data_dir, &clock, &random, &Names::from_config(&config))?);
    let mailer = Mailer::open(&config.mail, db.clone(), clock.clone())?;
    let (config, endpoint, jobs) = (Arc::new(config), Endpoint::new(), Bell::default());
    Ok(Kits { config, clock, random, db, pki, mailer, endpoint, jobs, limits: Limits::default() })
}

/// A node that stops gives the ends of live sessions so long to be told, and what they carry to be written down.
const SESSIONS_LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// A running cloud.
pub struct Node {
    kits: Kits,
    relay: Relay,
    addresses: Addresses,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Node {
    /// Starts listening and working on `kits`.
    pub async fn start(kits: Kits) -> Result<Self, StartError> {
        let http = kits.config.http.clone();
        kits.db.keep_reserve(kits.config.reserve_mib);
        let https = listen("http.listen", http.listen).await?;
        let plain = match http.loopback {
            Some(address) => Some(listen("http.loopback", address).await?),
            None => None,
        };
        devices::service::start(&kits, Arc::new(sessions::ingest::Ear)).await?;
        let blind = blind_ca(&kits)?;
        let (chain, key) = identity(&kits)?;
        let own = chain.first().cloned().ok_or_else(|| StartError::Origin("the certificate file is empty".into()))?;
        let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        let tls = Serving { tls: Some(Arc::new(tls)), ..Serving::default() };
        let addresses = Addresses {
            https: local(&https, "http.listen", http.listen)?,
            loopback: match (&plain, http.loopback) {
                (Some(listener), Some(address)) => Some(local(listener, "http.loopback", address)?),
                _ => None,
            },
            mqtt: kits.endpoint.address(),
        };

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let relay = Relay::new(
            Settings { raw: kits.config.sessions.raw_carriers, ..Settings::default() },
            kits.random.clone(),
            sessions::carry::Rows(kits.clone()),
        );
        tasks.spawn(sessions::carry::keep(kits.clone(), relay.clone(), stop.clone()));
        tasks.spawn(sessions::end::watch(kits.clone(), relay.clone(), stop.clone()));
        tasks.spawn(activation::rule::watch(kits.clone(), stop.clone()));
        tasks.spawn(prune::daily(kits.clone(), stop.clone()));
        let gateway = Gateway::new(kits.clone(), addresses.https, own, blind)?;
        let tls = Serving { by_name: gateway.by_name(), ..tls };
        let secured = beside(&gateway, dressed(&kits, &gateway, true)?.merge(relay.routes()));
        spawn(&tasks, web::serve(https, secured, tls.clone(), stop.clone()));
        if let Some(listener) = plain {
            let pages = beside(&gateway, dressed(&kits, &gateway, false)?);
            spawn(&tasks, web::serve(listener, pages, Serving::default(), stop.clone()));
        }
        for port in gateway.ports() {
            let address = SocketAddr::new(http.listen.ip(), port);
            let listener = listen("gateway.ports", address).await?;
            spawn(&tasks, web::serve(listener, gateway.at_port(port), tls.clone(), stop.clone()));
        }
        for worker in jobs::workers(&kits) {
            tasks.spawn(worker.run(stop.clone()));
        }
        Ok(Self { kits, relay, addresses, stop, tasks })
    }

    /// Where it listens; ports are those in use.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The kits it works on.
    pub const fn kits(&self) -> &Kits {
        &self.kits
    }

    /// Takes nothing new, lets go of live sessions, finishes what is under way, and closes the database.
    pub async fn stop(self) {
        self.stop.cancel();
        self.relay.close(EndReason::RelayLost, SESSIONS_LEAVE_WITHIN).await;
        self.tasks.close();
        self.tasks.wait().await;
        self.kits.endpoint.stop().await;
        self.kits.db.close().await;
    }
}

fn spawn(tasks: &TaskTracker, serving: impl Future<Output = Result<(), ServeError>> + Send + 'static) {
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the portal stopped serving");
        }
    });
}

/// Panels' origins are told from the portal's before anything of the portal's is done.
fn beside(gateway: &Gateway, portal: Router) -> Router {
    portal.layer(from_fn_with_state(gateway.clone(), gateway::divide))
}

fn dressed(kits: &Kits, gateway: &Gateway, https: bool) -> Result<Router, StartError> {
    let public_origin = Some(kits.config.public_url.origin().ascii_serialization());
    let routes = routes::routes().with_state(kits.clone()).layer(Extension(gateway.clone()));
    web::portal(routes, &Hardening { https, public_origin }).map_err(|error| StartError::Origin(error.to_string()))
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { key, address, source })
}

fn local(listener: &TcpListener, key: &'static str, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { key, address, source })
}

fn blind_ca(kits: &Kits) -> Result<Option<BlindCa>, StartError> {
    let gateway = &kits.config.gateway;
    let (Some(files), Some(domain)) = (&gateway.blind, gateway.names()) else { return Ok(None) };
    Ok(Some(BlindCa::open(files, domain, kits.now())?))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(kits: &Kits) -> Result<Identity, StartError> {
    let http = &kits.config.http;
    if let (HttpTls::Files, Some(chain), Some(key)) = (http.tls, &http.cert_file, &http.key_file) {
        return from_files(chain, key);
    }
    let own = kits.pki.server_identity()?;
    Ok((own.chain, own.key))
}

fn from_files(chain: &Path, key: &Path) -> Result<Identity, StartError> {
    let bad = |path: &Path, reason: String| StartError::Certificate { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(chain, error.to_string()))?;
    let pem = pki::read_secret_file(key).map_err(PkiError::from)?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(key, error.to_string()))?;
    Ok((certificates, key))
}
