//! HTTPS requests to the cloud: JSON in, JSON out, refusals as the sentence the cloud gave.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use gatelodge_proto::{
    FlowId, Random, Timestamp,
    api::Problem,
    https::{Answer, Client, NoAnswer, Setup},
    recording::{PATH, Received, Whole},
};
use http::{HeaderMap, Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use time::{PrimitiveDateTime, macros::format_description};
use url::Url;

use super::{ProxyUnreadable, TrustError, https_tls, trust::https_tls_whenever, way::proxy_to};
use crate::{clock::Clock, config};

const TIMEOUT: Duration = Duration::from_secs(30);
/// No answer of the cloud to a device is larger.
const MAX_ANSWER: usize = 256 * 1024;

/// A way to the cloud.
#[derive(Debug, Clone)]
pub struct CloudClient {
    base: Url,
    http: Client,
    /// For asking the hour by a clock that may be wrong.
    whenever: Client,
}

/// The cloud did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// No connection, a broken one, or a certificate that is not trusted.
    #[error("the cloud at {host} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// It answered that it will not.
    #[error("the cloud refuses: {reason}")]
    Refused {
        /// Its own words.
        reason: String,
        /// The stable code of the refusal.
        code: String,
        /// What it says to do next.
        next: Option<String>,
        /// When it may be asked again.
        retry_after: Option<Duration>,
    },
    /// Its answer cannot be read.
    #[error("the cloud's answer cannot be read: {0}")]
    Answer(String),
    /// TLS settings.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The environment.
    #[error(transparent)]
    Proxy(#[from] ProxyUnreadable),
}

impl CloudError {
    /// How long the cloud wishes to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Answer(_) | Self::Trust(_) | Self::Proxy(_) => None,
        }
    }
}

impl CloudClient {
    /// For one cloud; no connection is made yet.
    pub fn new(settings: &config::Cloud, clock: &Clock) -> Result<Self, CloudError> {
        Self::from_address(settings, clock, None)
    }

    /// For one cloud, which sees the questions come from this address of the machine.
    pub fn from_address(settings: &config::Cloud, clock: &Clock, own: Option<IpAddr>) -> Result<Self, CloudError> {
        let ca_file = settings.ca_file.as_deref();
        let http = client(settings, https_tls(ca_file, clock)?, own)?;
        let whenever = client(settings, https_tls_whenever(ca_file, clock)?, own)?;
        Ok(Self { base: settings.url.clone(), http, whenever })
    }

    /// Posts `body` to `path`.
    pub async fn post<B: Serialize + Sync, A: DeserializeOwned>(&self, path: &str, body: &B) -> Result<A, CloudError> {
        let json = serde_json::to_vec(body).map_err(|error| CloudError::Answer(error.to_string()))?;
        let answer = self.ask(&self.http, Method::POST, path, Some(json)).await?;
        let bytes = accepted(&answer)?;
        serde_json::from_slice(bytes).map_err(|error| CloudError::Answer(error.to_string()))
    }

    /// Asks about a recording, or brings bytes or a word about it, with the credential of its session.
    pub async fn recording(&self, asked: Asked<'_>) -> Result<Received, CloudError> {
        let Asked { recording, credential, what } = asked;
        let path = format!("{PATH}{recording}");
        let (method, path, body) = match what {
            About::Standing => (Method::GET, path, None),
            About::Bytes { at, bytes } => {
                (Method::PUT, format!("{path}?at={at}"), Some(("application/octet-stream", bytes)))
            }
            About::Whole(whole) => {
                (Method::POST, path, Some(("application/json", gatelodge_proto::payload::encode(whole).into())))
            }
        };
        let url = self.base.join(&path).map_err(|error| CloudError::Answer(error.to_string()))?;
        let answer = self.http.send(method, &url, Some(credential), body).await.map_err(|error| self.no(error))?;
        serde_json::from_slice(accepted(&answer)?).map_err(|error| CloudError::Answer(error.to_string()))
    }

    /// What time the cloud believes it is, asked by a clock that may be wrong: its certificate is right in every way
    /// but the hour.
    pub async fn hour(&self) -> Result<Timestamp, CloudError> {
        let date = self.date_by(&self.whenever, "/healthz").await?;
        date.as_deref().and_then(parse_date).ok_or_else(|| CloudError::Answer("it does not say the hour".into()))
    }

    /// Whether the cloud answers at all, and what time it believes it is (`Date`, RFC 9110 section 6.6.1).
    pub async fn date(&self) -> Result<Option<String>, CloudError> {
        self.date_by(&self.http, "/").await
    }

    async fn date_by(&self, http: &Client, path: &str) -> Result<Option<String>, CloudError> {
        let answer = self.ask(http, Method::HEAD, path, None).await?;
        Ok(answer.headers.get(header::DATE).and_then(|value| value.to_str().ok()).map(str::to_owned))
    }

    async fn ask(
        &self,
        http: &Client,
        method: Method,
        path: &str,
        json: Option<Vec<u8>>,
    ) -> Result<Answer, CloudError> {
        let url = self.base.join(path).map_err(|error| CloudError::Answer(error.to_string()))?;
        http.ask(method, &url, None, json).await.map_err(|error| self.no(error))
    }

    fn no(&self, error: NoAnswer) -> CloudError {
        match error {
            NoAnswer::Unreachable(reason) => CloudError::Unreachable { host: authority(&self.base), reason },
            NoAnswer::TooLong(_) => CloudError::Answer(error.to_string()),
        }
    }
}

/// A word about a recording.
pub struct Asked<'a> {
    /// Which.
    pub recording: FlowId,
    /// From the order of its session.
    pub credential: &'a str,
    /// What about it.
    pub what: About<'a>,
}

/// What there is to say about a recording.
pub enum About<'a> {
    /// How much of it the cloud has.
    Standing,
    /// Here are bytes.
    Bytes {
        /// After so many.
        at: u64,
        /// These.
        bytes: Bytes,
    },
    /// That is all of it.
    Whole(&'a Whole),
}

fn accepted(answer: &Answer) -> Result<&[u8], CloudError> {
    if answer.status.is_success() {
        return Ok(&answer.body);
    }
    // No problem is what a proxy on the way says, or a page that is no part of the interface.
    let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
    let (reason, code, next) = problem.map_or_else(
        || (status_words(answer.status), String::new(), None),
        |Problem { detail, code, next, .. }| (detail, code, next),
    );
    Err(CloudError::Refused { reason, code, next, retry_after: retry_after(&answer.headers) })
}

fn client(settings: &config::Cloud, tls: rustls::ClientConfig, own: Option<IpAddr>) -> Result<Client, CloudError> {
    Ok(Client::new(Setup {
        tls,
        proxy: proxy_to(settings, settings.url.as_str())?,
        random: Random::system(),
        own,
        user_agent: concat!("gatelodge-agent/", env!("CARGO_PKG_VERSION")),
        within: TIMEOUT,
        connect_within: TIMEOUT,
        most: MAX_ANSWER,
    }))
}

/// An HTTP date (RFC 9110 section 5.6.7).
pub(crate) fn parse_date(date: &str) -> Option<Timestamp> {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    Some(PrimitiveDateTime::parse(date, format).ok()?.assume_utc().into())
}

fn status_words(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()).trim_end().to_owned()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn authority(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => url.to_string(),
    }
}
