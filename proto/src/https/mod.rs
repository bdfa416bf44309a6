//! HTTPS requests of agent and technician: through the site's proxy where there is one, with every way to ask who is
//! there that sessions have too. Follows no redirect, keeps no cookie, and knows no address of its own.

mod connect;

use std::{error::Error as _, fmt, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

use self::connect::Connector;
use crate::{
    Random,
    session::carrier::{Proxy, ProxyError},
};

/// Connections that wait for the next request; one after the other is all that these programs ask.
const IDLE_CONNECTIONS: usize = 1;
const IDLE: Duration = Duration::from_secs(10);

/// What a client is made of.
pub struct Setup {
    /// Whom to trust.
    pub tls: rustls::ClientConfig,
    /// On the way to every HTTPS server.
    pub proxy: Option<Proxy>,
    /// For what a proxy asks.
    pub random: Random,
    /// From which address of this machine; any when absent.
    pub own: Option<IpAddr>,
    /// `name/version`.
    pub user_agent: &'static str,
    /// Longest time from a request to the end of its answer.
    pub within: Duration,
    /// Longest time for a connection, TLS and proxy included.
    pub connect_within: Duration,
    /// No answer has a longer body.
    pub most: usize,
}

/// Asks HTTPS servers. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    user_agent: HeaderValue,
    within: Duration,
    most: usize,
}

/// A server's whole answer, whatever it says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it went.
    pub status: StatusCode,
    /// Its head.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No connection, a broken one, or a certificate that is not trusted.
    #[error("{0}")]
    Unreachable(String),
    /// More than the client takes.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// No connection is made yet.
    pub fn new(setup: Setup) -> Self {
        let Setup { tls, proxy, random, own, user_agent, within, connect_within, most } = setup;
        let connector = Connector { tls: Arc::new(tls), proxy, random, own, within: connect_within };
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { http, user_agent: HeaderValue::from_static(user_agent), within, most }
    }

    /// Sends a request, with a JSON body when there is one, and waits for the whole answer.
    pub async fn ask(
        &self,
        method: Method,
        url: &Url,
        bearer: Option<&str>,
        json: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        self.send(method, url, bearer, json.map(|json| ("application/json", json.into()))).await
    }

    /// The same with a body of any type.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        bearer: Option<&str>,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Answer, NoAnswer> {
        let broken = |error: &(dyn std::error::Error + 'static)| NoAnswer::Unreachable(reason(error));
        let mut request = Request::builder().method(method).uri(url.as_str());
        request = request.header(header::USER_AGENT, &self.user_agent).header(header::ACCEPT, "application/json");
        if let Some((kind, _)) = body {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body.unwrap_or_default().1)).map_err(|error| broken(&error))?;
        let answered = async {
            let (head, body) = self.http.request(request).await.map_err(|error| broken(&error))?.into_parts();
            let body = Limited::new(body, self.most).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() { NoAnswer::TooLong(self.most) } else { broken(&*error) }
            })?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        let late = || NoAnswer::Unreachable(format!("no answer within {} seconds", self.within.as_secs()));
        tokio::time::timeout(self.within, answered).await.unwrap_or_else(|_| Err(late()))
    }
}

/// What happened: the last cause, since those before it only repeat that something did; but a proxy is named with it.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let (mut current, mut proxy) = (error, None);
    loop {
        if let Some(found) = current.downcast_ref::<ProxyError>() {
            proxy = Some(found);
        }
        let Some(next) = current.source() else { break };
        current = next;
    }
    match proxy {
        Some(proxy) if proxy.source().is_some() => format!("{proxy}: {current}"),
        Some(proxy) => proxy.to_string(),
        None => current.to_string(),
    }
}

#[cfg(test)]
mod tests;
