//! A way through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6) to where TLS begins: without a password, or with one
//! by Basic (RFC 7617) or Digest (RFC 7616). The proxy sees host and port, and nothing of what is said.

mod challenge;
mod head;
#[cfg(test)]
mod tests;

use std::{fmt, io, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use self::{challenge::Answerable, head::Head};
use crate::{Random, payload::Subnet};

/// One answer of a proxy, without its body, is no longer.
const MAX_HEAD: usize = 16 * 1024;
/// A refusal's body that is read to its end, so that the connection can be used again.
const MAX_BODY: usize = 64 * 1024;
/// Answers heard before the proxy is given up: the challenge, one that the nonce was stale, and the last.
const ROUNDS: usize = 3;

/// An HTTP proxy and who this program is there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proxy {
    /// As it was written, with the password.
    address: String,
    host: String,
    port: u16,
    user: Option<User>,
}

#[derive(Clone, PartialEq, Eq)]
struct User {
    name: String,
    password: String,
}

/// The text is no proxy's address. It is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is no proxy's address; write one like http://proxy.example.com:3128 or http://name:password@proxy.example.com:3128"
)]
pub struct InvalidProxy;

/// The proxy does not let this program through.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No TCP connection.
    #[error("no connection to the proxy {proxy}")]
    Connect {
        /// Which.
        proxy: String,
        /// Why.
        source: io::Error,
    },
    /// It broke off, or what answers is no proxy.
    #[error("the proxy {proxy} broke off while it was asked for {target}")]
    Broken {
        /// Which.
        proxy: String,
        /// `host:port`.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// It wants to know who asks.
    #[error("the proxy {0} wants a name and a password (407); write them into its address, http://name:password@{0}")]
    WantsUser(String),
    /// It does not take who asks.
    #[error("the proxy {0} does not take the name and the password in its address (407)")]
    WrongUser(String),
    /// It wants to know it in ways this program does not have.
    #[error(
        "the proxy {proxy} wants {schemes} (407), and this program has Basic and Digest; ask whoever runs the proxy"
    )]
    Scheme {
        /// Which.
        proxy: String,
        /// What it offers.
        schemes: String,
    },
    /// It says no.
    #[error("the proxy {proxy} answered {status} when it was asked for {target}; ask whoever runs it to allow that")]
    Refused {
        /// Which.
        proxy: String,
        /// `host:port`.
        target: String,
        /// Like `403 Forbidden`.
        status: String,
    },
}

impl FromStr for Proxy {
    type Err = InvalidProxy;
    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&full).map_err(|_| InvalidProxy)?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Err(InvalidProxy) };
        if url.scheme() != "http" || !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(InvalidProxy);
        }
        let user = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            let name = decoded(url.username()).filter(|name| !name.contains(':')).ok_or(InvalidProxy)?;
            Some(User { name, password: decoded(url.password().unwrap_or_default()).ok_or(InvalidProxy)? })
        };
        Ok(Self { address: full.clone(), host: host.trim_matches(['[', ']']).to_owned(), port, user })
    }
}

/// Percent-decoded (RFC 3986 section 2.1), when that is text without control characters, which no header carries.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

impl TryFrom<String> for Proxy {
    type Error = InvalidProxy;
    fn try_from(text: String) -> Result<Self, InvalidProxy> {
        text.parse()
    }
}

impl From<Proxy> for String {
    fn from(proxy: Proxy) -> Self {
        proxy.address
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, {})", if self.user.is_some() { "with a password" } else { "without a password" })
    }
}

impl Proxy {
    /// The proxy that the environment names for an HTTPS server: `https_proxy`, else `all_proxy`, unless `no_proxy` names
    /// the server; each also in capitals. This machine itself is never reached by a proxy.
    pub fn of_environment(
        server: &Url,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidProxy> {
        let either = |name: &str| {
            let found = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
            found.filter(|value| !value.trim().is_empty())
        };
        let (Some(host), port) = (server.host_str(), server.port_or_known_default()) else { return Ok(None) };
        let host = host.trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if here || either("no_proxy").is_some_and(|listed| exempt(&listed, host, port)) {
            return Ok(None);
        }
        either("https_proxy").or_else(|| either("all_proxy")).map(|text| text.trim().parse()).transpose()
    }

    /// Asks the proxy for a connection to `host:port`; what comes back is that connection.
    pub async fn connect(&self, host: &str, port: u16, random: &Random) -> Result<TcpStream, ProxyError> {
        let target = authority(host, port);
        let broken = |source| ProxyError::Broken { proxy: self.to_string(), target: target.clone(), source };
        let mut tcp = self.dial().await?;
        let mut authorization = None;
        for _ in 0..ROUNDS {
            tcp.write_all(&request(&target, authorization.as_deref())).await.map_err(broken)?;
            let head = hear(&mut tcp).await.map_err(broken)?;
            if head.is_success() {
                return Ok(tcp);
            }
            if head.status != 407 {
                return Err(ProxyError::Refused { proxy: self.to_string(), target, status: head.said() });
            }
            let answer = self.answer(&head, &target, authorization.is_some(), random)?;
            authorization = Some(answer);
            if !drained(&mut tcp, &head).await {
                tcp = self.dial().await?;
            }
        }
        Err(ProxyError::WrongUser(self.to_string()))
    }

    async fn dial(&self) -> Result<TcpStream, ProxyError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        tcp.map_err(|source| ProxyError::Connect { proxy: self.to_string(), source })
    }

    /// What to say to a challenge. One that comes after an answer is a no, unless only the nonce was stale.
    fn answer(&self, head: &Head, target: &str, answered: bool, random: &Random) -> Result<String, ProxyError> {
        let offered = challenge::read(&head.challenges);
        let Some(user) = &self.user else { return Err(ProxyError::WantsUser(self.to_string())) };
        let Some(best) = Answerable::best(&offered) else {
            let schemes = offered.iter().map(|challenge| challenge.scheme.as_str()).collect::<Vec<_>>().join(", ");
            return Err(ProxyError::Scheme { proxy: self.to_string(), schemes });
        };
        if answered && !best.is_stale() {
            return Err(ProxyError::WrongUser(self.to_string()));
        }
        Ok(best.answer(&user.name, &user.password, target, random))
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn request(target: &str, authorization: Option<&str>) -> Vec<u8> {
    let authorization = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n").into_bytes()
}

/// Reads one head and not a byte more: what follows it is the connection, or the body.
pub(super) async fn hear(tcp: &mut (impl AsyncRead + Unpin)) -> io::Result<Head> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if bytes.len() == MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer has no end"));
        }
        bytes.push(tcp.read_u8().await?);
    }
    Head::read(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP"))
}

/// Whether the connection is good for another question, its refusal's body read.
async fn drained(tcp: &mut TcpStream, head: &Head) -> bool {
    let Some(length) = head.body.filter(|length| !head.closes && *length <= MAX_BODY) else { return false };
    tcp.read_exact(&mut vec![0; length]).await.is_ok()
}

/// Whether a list like `example.com, .internal, 10.0.0.0/8, host:8443, *` names the server.
fn exempt(listed: &str, host: &str, port: Option<u16>) -> bool {
    listed.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return entry.parse() == Ok(address)
                || entry.parse::<Subnet>().is_ok_and(|subnet| subnet.contains(address));
        }
        let (name, only) = match entry.rsplit_once(':') {
            Some((name, only)) => (name, only.parse().ok()),
            None => (entry, None),
        };
        let (name, host) = (name.trim_start_matches('.').to_ascii_lowercase(), host.to_ascii_lowercase());
        let below = host.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        below && (only.is_none() || only == port)
    })
}
