//! Does the device endpoint answer, and with a certificate this device trusts?

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    Random,
    link::{Dial, Endpoint},
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Finding;
use crate::{
    clock::Clock,
    cloud::{SwappableCertificate, endpoint_dial, endpoint_tls},
    config,
    state::Holding,
};

const NAME: &str = "device endpoint";
const PATIENCE: Duration = Duration::from_secs(10);

/// Nothing to say before the cloud has named an endpoint.
pub(super) async fn check(holding: Option<&Holding>, settings: &config::Cloud, time: &Clock) -> Option<Finding> {
    let Some(Holding::Enrolled { key, credentials }) = holding else { return None };
    let endpoint: Endpoint = match credentials.mqtt.parse() {
        Ok(endpoint) => endpoint,
        Err(error) => return Some(Finding::bad(NAME, format!("{error}"), "gatelodge-agent reset enrols anew")),
    };
    let tls = SwappableCertificate::new(&credentials.chain, key)
        .and_then(|certificate| endpoint_tls(settings.ca_file.as_deref(), certificate, time));
    let tls = match tls {
        Ok(tls) => tls,
        Err(error) => return Some(Finding::bad(NAME, error.to_string(), "check cloud.ca_file")),
    };
    let dial = match endpoint_dial(settings, &endpoint, &Random::system()) {
        Ok(dial) => dial,
        Err(error) => {
            return Some(Finding::bad(NAME, error.to_string(), "correct or unset it for the agent's service"));
        }
    };
    let refused = match tokio::time::timeout(PATIENCE, handshake(&endpoint, dial, tls)).await {
        Ok(Ok(())) => return Some(Finding::good(NAME, format!("{endpoint} answers and is trusted"))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer within 10 s".into(),
    };
    let next = "check the firewall: devices connect to this port, besides the cloud's HTTPS port";
    Some(Finding::bad(NAME, format!("{endpoint}: {refused}"), next))
}

async fn handshake(endpoint: &Endpoint, dial: Option<Dial>, tls: Arc<rustls::ClientConfig>) -> std::io::Result<()> {
    let stream = match dial {
        Some(dial) => dial(endpoint.host.clone(), endpoint.port).await?,
        None => TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?,
    };
    let name = ServerName::try_from(endpoint.host.clone()).map_err(std::io::Error::other)?;
    TlsConnector::from(tls).connect(name, stream).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn before_enrolment_there_is_nothing_to_check() {
        let settings = config::Cloud {
            url: "https://cloud.example".parse().unwrap(),
            ca_file: None,
            relay_url: None,
            proxy: None,
        };
        assert_eq!(check(None, &settings, &Clock::system()).await, None);
    }
}
