//! The way out of the site: through the proxy of the settings or of the environment, for requests, sessions and the link
//! to the device endpoint alike.

use std::{io, sync::Arc, time::Duration};

use gatelodge_proto::{
    Random,
    link::{Dial, Endpoint},
    session::carrier::{InvalidProxy, Proxy},
};
use tokio::net::TcpStream;

use crate::config;

/// Longest try by the proxy.
const PROXY_WITHIN: Duration = Duration::from_secs(8);
/// Longest try without the proxy that has just failed.
const DIRECTLY_WITHIN: Duration = Duration::from_secs(5);

/// The environment names something that is no proxy.
#[derive(Debug, thiserror::Error)]
#[error("HTTPS_PROXY or ALL_PROXY in the environment cannot be used: {0}")]
pub struct ProxyUnreadable(#[from] InvalidProxy);

/// The proxy on the way to that address.
pub(crate) fn proxy_to(settings: &config::Cloud, address: &str) -> Result<Option<Proxy>, ProxyUnreadable> {
    Ok(settings.proxy_to(address, |name| std::env::var(name).ok())?)
}

/// How connections to the device endpoint are made; `None` where no proxy is on the way.
pub fn endpoint_dial(
    settings: &config::Cloud,
    endpoint: &Endpoint,
    random: &Random,
) -> Result<Option<Dial>, ProxyUnreadable> {
    let Some(proxy) = proxy_to(settings, &format!("https://{endpoint}"))? else { return Ok(None) };
    let random = random.clone();
    Ok(Some(Arc::new(move |host, port| {
        let (proxy, random) = (proxy.clone(), random.clone());
        Box::pin(async move { dial(&proxy, &host, port, &random).await })
    })))
}

/// Many proxies let nobody but port 443 through, on sites that let MQTT out by itself.
async fn dial(proxy: &Proxy, host: &str, port: u16, random: &Random) -> io::Result<TcpStream> {
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("the proxy {proxy} does not answer")));
    let by_proxy = async { proxy.connect(host, port, random).await.map_err(io::Error::other) };
    match tokio::time::timeout(PROXY_WITHIN, by_proxy).await.unwrap_or_else(late) {
        Ok(tcp) => Ok(tcp),
        Err(trouble) => {
            let directly = tokio::time::timeout(DIRECTLY_WITHIN, TcpStream::connect((host, port))).await;
            directly.ok().and_then(Result::ok).ok_or(trouble)
        }
    }
}
