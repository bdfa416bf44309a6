//! Pages that the gateway cannot read (decision 0024): this device makes a key, has its name certified, speaks TLS with
//! the browser itself, and asks the panel itself. In such a session no stream carries anything in the clear.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gatelodge_proto::{
    payload::{Feature, FlowOutcome, Happening, Host, HostName, Protocol},
    session::{
        FlowTotals,
        driver::Incoming,
        handshake::certificates,
        inner_frame::{OpenError, Target},
    },
    web::{
        Face, Passage, Scheme,
        blind::{Begin, BlindWord, Silence, Talk},
        wire::as_bytes,
    },
};
use rustls::ServerConfig;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use super::{Shared, page::Page, panel::ToPanel};
use crate::{cloud, state::PrivateKey};

/// Longest wait for the gateway's next word until browsers may come, and for a browser's handshake.
const WITHIN: Duration = Duration::from_secs(15);

/// The pages of a session.
#[derive(Default)]
pub(super) struct Blind {
    begun: AtomicBool,
    page: Mutex<Option<Arc<Page>>>,
    pub(super) over: CancellationToken,
    /// What carries bytes to browsers and to the panel.
    pub(super) wires: TaskTracker,
}

impl Blind {
    fn page(&self) -> Option<Arc<Page>> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, page: Option<Arc<Page>>) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    /// Breaks every connection off, and waits until each has said that it is closed.
    pub(super) async fn wind_up(&self) {
        self.over.cancel();
        self.put(None);
        self.wires.close();
        self.wires.wait().await;
    }
}

/// Why this device does not answer browsers.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAnswered {
    /// The gateway says nothing more.
    #[error(transparent)]
    Silence(#[from] Silence),
    /// Or not in time.
    #[error("the portal did not answer in time")]
    Late,
    /// Or something else than it should.
    #[error("the portal said something else than it should")]
    Unexpected,
    /// The address is not the name that was asked for.
    #[error("the portal names another address than that of this page")]
    Address,
    /// There is no key.
    #[error(transparent)]
    Key(#[from] crate::state::KeyError),
    /// The certificate is for another name, or for more than this one.
    #[error("the certificate is not for this page's name alone")]
    Name,
    /// It is for another key, or cannot be read.
    #[error("the certificate cannot be used")]
    Certificate,
}

impl Shared {
    /// A stream in the clear, where the customer has allowed none.
    pub(super) async fn in_the_clear(&self, wanted: Incoming) {
        let (flow, outcome) = (wanted.open.flow, FlowOutcome::NotAllowed);
        let target = self.spelled(&wanted.open.target, None);
        tracing::warn!(%flow, target, "a stream that the portal could read is refused");
        self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        self.handle.refuse(wanted.stream, OpenError::NotAllowed).await;
    }

    /// Answers browsers under a name for as long as the gateway holds the stream.
    pub(super) async fn certify(self: &Arc<Self>, wanted: Incoming, name: &HostName, begun: Instant) {
        let (flow, stream) = (wanted.open.flow, wanted.stream);
        let may = self.terms.features.contains(&Feature::WebBlind);
        let first = may && !self.blind.begun.swap(true, Ordering::Relaxed);
        let outcome = if first { FlowOutcome::Opened } else { FlowOutcome::NotAllowed };
        let target = self.spelled(&wanted.open.target, None);
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        if !first || !told {
            return self.handle.refuse(stream, OpenError::NotAllowed).await;
        }
        if let Some(stream) = self.handle.accept(stream, begun.elapsed(), String::new()).await {
            let mut talk = Talk::new(stream);
            if let Err(error) = self.answers(&mut talk, name).await {
                tracing::info!(%name, %error, "this device answers no browser");
                let _ = talk.say(&BlindWord::Refused(error.to_string())).await;
            }
            self.blind.put(None);
        }
        self.closed(flow, FlowTotals::default(), begun).await;
    }

    async fn answers(self: &Arc<Self>, talk: &mut Talk, name: &HostName) -> Result<(), NotAnswered> {
        let BlindWord::Begin(begin) = next(talk).await? else { return Err(NotAnswered::Unexpected) };
        let key = PrivateKey::make()?;
        talk.say(&BlindWord::Csr(key.request()?)).await?;
        let BlindWord::Certificate(chain) = next(talk).await? else { return Err(NotAnswered::Unexpected) };
        let page = Arc::new(self.page(begin, name, &key, &chain)?);
        self.blind.put(Some(page.clone()));
        talk.say(&BlindWord::Ready).await?;
        loop {
            match talk.hear().await {
                Ok(BlindWord::Ticket(ticket)) => {
                    page.door().expect(ticket, self.ids.now());
                    talk.say(&BlindWord::Expected).await?;
                }
                Ok(_) => return Err(NotAnswered::Unexpected),
                Err(Silence::Over | Silence::Broken) => return Ok(()),
                Err(silence) => return Err(silence.into()),
            }
        }
    }

    fn page(
        self: &Arc<Self>,
        begin: Begin,
        name: &HostName,
        key: &PrivateKey,
        chain: &str,
    ) -> Result<Page, NotAnswered> {
        let Begin { authority, portal, service, panel } = begin;
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        if host != name.as_str() {
            return Err(NotAnswered::Address);
        }
        let tls = TlsAcceptor::from(Arc::new(tls(name, key, chain)?));
        let target = match service {
            Some(service) => Target::Service(service),
            None => Target::Address {
                protocol: Protocol::Tcp,
                host: Host::Address(panel.host.parse().map_err(|_| NotAnswered::Address)?),
                port: panel.port,
            },
        };
        let face = Face { scheme: Scheme::Https, authority, port_of_its_own: None };
        let dial = ToPanel { shared: Arc::downgrade(self), target };
        let passage = Passage::new(panel, face, dial, cloud::provider()).map_err(|_| NotAnswered::Certificate)?;
        Ok(Page::new(portal, passage, tls))
    }

    /// A browser's connection, from its greeting to its end.
    pub(super) async fn browser(self: &Arc<Self>, wanted: Incoming, begun: Instant) {
        let Some(page) = self.blind.page() else {
            return self.handle.refuse(wanted.stream, OpenError::NotAllowed).await;
        };
        let Some(stream) = self.handle.accept(wanted.stream, begun.elapsed(), String::new()).await else { return };
        let io = as_bytes(stream, &self.blind.wires);
        let serving = async {
            match timeout(WITHIN, page.tls.accept(io)).await {
                Ok(Ok(tls)) => page.serve(tls, &self.ids).await,
                Ok(Err(error)) => tracing::debug!(%error, "a browser's TLS handshake failed"),
                Err(_) => tracing::debug!("a browser's TLS handshake took too long"),
            }
        };
        tokio::select! {
            () = serving => {}
            () = self.blind.over.cancelled() => {}
        }
    }
}

async fn next(talk: &mut Talk) -> Result<BlindWord, NotAnswered> {
    Ok(timeout(WITHIN, talk.hear()).await.map_err(|_| NotAnswered::Late)??)
}

/// TLS for browsers, with a certificate for this name alone and for this key.
fn tls(name: &HostName, key: &PrivateKey, chain: &str) -> Result<ServerConfig, NotAnswered> {
    let chain = certificates(chain).map_err(|_| NotAnswered::Certificate)?;
    let own = chain.first().ok_or(NotAnswered::Certificate)?;
    let (_, own) = x509_parser::certificate::X509Certificate::from_der(own).map_err(|_| NotAnswered::Certificate)?;
    let names = own.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.clone());
    if names.unwrap_or_default() != [GeneralName::DNSName(name.as_str())] {
        return Err(NotAnswered::Name);
    }
    let mut config = ServerConfig::builder_with_provider(cloud::provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| NotAnswered::Certificate)?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key.der()?)
        .map_err(|_| NotAnswered::Certificate)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that anybody could have signed: who signed it is for browsers to judge.
    fn chain(names: &[&str], key: &PrivateKey) -> String {
        let csr = rcgen::CertificateSigningRequestParams::from_pem(&key.request().unwrap()).unwrap();
        let ca = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), ca);
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        rcgen::CertificateParams::new(names).unwrap().signed_by(&csr.public_key, &issuer).unwrap().pem()
    }

    #[test]
    fn only_a_certificate_for_this_key_and_this_name_alone_is_shown_to_browsers() {
        let (key, other) = (PrivateKey::make().unwrap(), PrivateKey::make().unwrap());
        let name: HostName = "b-x.web.example".parse().unwrap();
        assert!(tls(&name, &key, &chain(&["b-x.web.example"], &key)).is_ok());
        for names in [&["b-y.web.example"][..], &["*.web.example"], &["b-x.web.example", "portal.example"], &[]] {
            let refused = tls(&name, &key, &chain(names, &key));
            assert!(matches!(refused, Err(NotAnswered::Name)), "{names:?}");
        }
        let foreign = tls(&name, &key, &chain(&["b-x.web.example"], &other));
        assert!(matches!(foreign, Err(NotAnswered::Certificate)));
        assert!(matches!(tls(&name, &key, "no certificate"), Err(NotAnswered::Certificate)));
    }
}
