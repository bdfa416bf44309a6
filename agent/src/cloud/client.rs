//! HTTPS requests to the cloud: JSON in, JSON out, refusals as the sentence the cloud gave.

use std::{net::IpAddr, time::Duration};

use gatelodge_proto::{Timestamp, api::Problem};
use reqwest::{Client, Proxy, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use time::{PrimitiveDateTime, macros::format_description};
use url::Url;

use super::{TrustError, https_tls, trust::https_tls_whenever};
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
}

impl CloudError {
    /// How long the cloud wishes to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Answer(_) | Self::Trust(_) => None,
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
        let response = self.http.post(self.address(path)?).json(body).send().await.map_err(|e| self.unreachable(&e))?;
        let bytes = self.accepted(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| CloudError::Answer(error.to_string()))
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
        let response = http.head(self.address(path)?).send().await.map_err(|e| self.unreachable(&e))?;
        Ok(response.headers().get(header::DATE).and_then(|value| value.to_str().ok()).map(str::to_owned))
    }

    fn address(&self, path: &str) -> Result<Url, CloudError> {
        self.base.join(path).map_err(|error| CloudError::Answer(error.to_string()))
    }

    async fn accepted(&self, mut response: Response) -> Result<Vec<u8>, CloudError> {
        let status = response.status();
        let retry_after = retry_after(&response);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                return Err(CloudError::Answer(format!("it is longer than {MAX_ANSWER} bytes")));
            }
        }
        if status.is_success() {
            return Ok(bytes);
        }
        Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(Problem { detail: reason, code, next, .. }) => CloudError::Refused { reason, code, next, retry_after },
            // A proxy on the way, or a page that is no part of the interface.
            Err(_) => {
                CloudError::Refused { reason: status_words(status), code: String::new(), next: None, retry_after }
            }
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> CloudError {
        CloudError::Unreachable { host: authority(&self.base), reason: innermost(error) }
    }
}

fn client(settings: &config::Cloud, tls: rustls::ClientConfig, own: Option<IpAddr>) -> Result<Client, CloudError> {
    let unreachable =
        |error: reqwest::Error| CloudError::Unreachable { host: authority(&settings.url), reason: innermost(&error) };
    let mut client = Client::builder();
    if let Some(proxy) = &settings.proxy {
        client = client.proxy(Proxy::https(proxy.reveal()).map_err(unreachable)?);
    }
    client
        .local_address(own)
        .tls_backend_preconfigured(tls)
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(10))
        .user_agent(concat!("gatelodge-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unreachable)
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

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn authority(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => url.to_string(),
    }
}

/// The last cause says what happened; those before it only repeat that something did.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(next) = current.source() {
        current = next;
    }
    current.to_string()
}
