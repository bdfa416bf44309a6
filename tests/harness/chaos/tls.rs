//! Two TLS connections with this proxy between them, where the messages of the device link can be seen. Only somebody
//! with the device's own key can stand there.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::{ClientConfig, RootCertStore, ServerConfig, client::Resumption, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Pem<'a> {
    /// The certificate first, then what signed it.
    pub chain: &'a str,
    /// Its private key.
    pub key: &'a str,
}

/// What stands between the two connections.
#[derive(Clone)]
pub struct Termination {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Termination {
    /// Shows `shown` to clients, and speaks to the server `name`, which `roots` must vouch for, as `own`.
    pub fn new(shown: Pem<'_>, own: Pem<'_>, roots: &str, name: &str) -> anyhow::Result<Self> {
        let (chain, key) = read(shown).context("the certificate shown to clients")?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let acceptor = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("the certificate shown to clients and its key")?;
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root.context("the server's CA is unreadable")?).context("the server's CA cannot be used")?;
        }
        let (chain, key) = read(own).context("the device's certificate")?;
        let mut connector = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_client_auth_cert(chain, key)
            .context("the device's certificate and its key")?;
        connector.resumption = Resumption::disabled();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(acceptor)),
            connector: TlsConnector::from(Arc::new(connector)),
            server: ServerName::try_from(name.to_owned()).context("the server's name cannot be used")?,
        })
    }

    /// Both handshakes.
    pub(super) async fn shake_hands(
        &self,
        client: TcpStream,
        server: TcpStream,
    ) -> std::io::Result<(server::TlsStream<TcpStream>, client::TlsStream<TcpStream>)> {
        let server = self.connector.connect(self.server.clone(), server).await?;
        Ok((self.acceptor.accept(client).await?, server))
    }
}

impl std::fmt::Debug for Termination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Termination").field("server", &self.server).finish_non_exhaustive()
    }
}

fn read(pem: Pem<'_>) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.chain.as_bytes()).collect::<Result<_, _>>()?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in it");
    Ok((chain, PrivateKeyDer::from_pem_slice(pem.key.as_bytes())?))
}
