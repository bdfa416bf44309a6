//! The portal's JSON API as this program uses it. Knows no command and prints nothing.

use std::{net::IpAddr, time::Duration};

use gatelodge_proto::{
    DeviceId, Random, SessionId,
    api::{
        DEVICES_PATH, DeviceView, ExtensionRequest, ExtensionState, Join, Page, Problem, SESSIONS_PATH, SIGN_IN_PATH,
        SIGN_IN_TOKEN_PATH, SessionRequest, SessionState, SessionView, SignInPoll, SignInStarted, SignedIn,
    },
    https::{Client, NoAnswer, Setup},
    session::carrier::Proxy,
};
use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    output::{Exit, Failure},
    sentences,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long one question for a session's next state may wait for its answer.
const STATE_WAIT: Duration = Duration::from_secs(20);
/// No answer of the portal is larger.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// No list has more pages.
const MAX_PAGES: usize = 200;

/// A way to the portal.
#[derive(Clone)]
pub struct Cloud {
    base: Url,
    http: Client,
    token: Option<String>,
}

/// The portal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// No connection, a broken one, or a certificate that is not trusted.
    #[error("the portal at {host} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// The token is not good any more.
    #[error("the portal no longer knows this sign-in")]
    SignedOut,
    /// It said no, and why.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// Its answer cannot be read.
    #[error("the portal's answer cannot be read: {0}")]
    Answer(String),
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        match error {
            CloudError::Unreachable { host, reason } => {
                let trust = reason.to_ascii_lowercase().contains("certificate");
                let next = if trust {
                    sentences::NEXT_CA_FILE
                } else if reason.contains("proxy") {
                    sentences::NEXT_PROXY
                } else {
                    sentences::NEXT_CONNECTION
                };
                Self::new(Exit::Unreachable, sentences::unreachable(&host), next).about("because", reason)
            }
            CloudError::SignedOut => {
                Self::new(Exit::NotSignedIn, sentences::SIGNED_OUT_THERE, sentences::NEXT_SIGN_IN_AGAIN)
            }
            CloudError::Refused(problem) => {
                let exit = if problem.status >= 500 { Exit::Failed } else { Exit::Refused };
                let next = problem.next.unwrap_or_else(|| sentences::NEXT_TRY_AGAIN.to_owned());
                Self::new(exit, problem.detail, next).about("code", problem.code)
            }
            CloudError::Answer(reason) => {
                Self::new(Exit::Failed, "the portal's answer cannot be read", sentences::NEXT_TRY_AGAIN)
                    .about("because", reason)
            }
        }
    }
}

impl Cloud {
    /// For one portal, through a proxy where one is on the way; no connection is made yet.
    pub fn new(base: Url, token: Option<String>, tls: rustls::ClientConfig, proxy: Option<Proxy>) -> Self {
        let http = Client::new(Setup {
            tls,
            proxy,
            random: Random::system(),
            own: None,
            user_agent: concat!("gatelodge/", env!("CARGO_PKG_VERSION")),
            within: TIMEOUT,
            connect_within: CONNECT_WITHIN,
            most: MAX_ANSWER,
        });
        Self { base, http, token }
    }

    /// The portal's own addresses, as this computer finds them now; none when it finds none.
    pub async fn addresses(&self) -> Vec<IpAddr> {
        let (Some(host), Some(port)) = (self.base.host_str(), self.base.port_or_known_default()) else {
            return Vec::new();
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        tokio::net::lookup_host((host, port)).await.into_iter().flatten().map(|address| address.ip()).collect()
    }

    /// Begins a sign-in by browser (RFC 8628).
    pub async fn start_sign_in(&self) -> Result<SignInStarted, CloudError> {
        self.ask(Method::POST, SIGN_IN_PATH, &[], None).await
    }

    /// Whether the person has confirmed. The waiting answers are refusals with the codes of RFC 8628 section 3.5.
    pub async fn poll_sign_in(&self, device_code: &str) -> Result<SignedIn, CloudError> {
        let poll = SignInPoll { device_code: device_code.to_owned() };
        self.post(SIGN_IN_TOKEN_PATH, &poll).await
    }

    /// Every device this sign-in may see.
    pub async fn devices(&self) -> Result<Vec<DeviceView>, CloudError> {
        self.all(DEVICES_PATH, &[]).await
    }

    /// Those of them that the API's own filters let through.
    pub async fn devices_with(&self, filters: &[(&str, &str)]) -> Result<Vec<DeviceView>, CloudError> {
        self.all(DEVICES_PATH, filters).await
    }

    /// The live sessions that this sign-in's own user has asked for, on every device.
    pub async fn every_own_session(&self) -> Result<Vec<SessionView>, CloudError> {
        self.all(SESSIONS_PATH, &[("live", "true"), ("own", "true")]).await
    }

    /// Every session this sign-in may see, newest first.
    pub async fn sessions(&self, live: bool) -> Result<Vec<SessionView>, CloudError> {
        self.all(SESSIONS_PATH, if live { &[("live", "true")] } else { &[] }).await
    }

    /// The live sessions on one device that this sign-in's own user has asked for, newest first.
    pub async fn own_sessions(&self, device: DeviceId) -> Result<Vec<SessionView>, CloudError> {
        let device = device.to_string();
        self.all(SESSIONS_PATH, &[("live", "true"), ("own", "true"), ("device", &device)]).await
    }

    /// Asks for a session.
    pub async fn ask_session(&self, request: &SessionRequest) -> Result<SessionView, CloudError> {
        self.post(SESSIONS_PATH, request).await
    }

    /// The session, once it is no longer in the state `known`, or after a while.
    pub async fn session_after(&self, id: SessionId, known: SessionState) -> Result<SessionView, CloudError> {
        let wait = STATE_WAIT.as_secs().to_string();
        let query = [("wait", wait.as_str()), ("state", known.word())];
        self.ask(Method::GET, &format!("{SESSIONS_PATH}/{id}"), &query, None).await
    }

    /// Asks for more time in an open session.
    pub async fn extend(&self, id: SessionId, minutes: u32) -> Result<SessionView, CloudError> {
        self.post(&format!("{SESSIONS_PATH}/{id}/extend"), &ExtensionRequest { minutes }).await
    }

    /// The open session, once its wish for more time is no longer in the state `known`, or after a while.
    pub async fn session_after_answer(&self, id: SessionId, known: ExtensionState) -> Result<SessionView, CloudError> {
        let wait = STATE_WAIT.as_secs().to_string();
        let query = [("wait", wait.as_str()), ("state", SessionState::Open.word()), ("extension", known.word())];
        self.ask(Method::GET, &format!("{SESSIONS_PATH}/{id}"), &query, None).await
    }

    /// The session as it is now.
    pub async fn session(&self, id: SessionId) -> Result<SessionView, CloudError> {
        self.ask(Method::GET, &format!("{SESSIONS_PATH}/{id}"), &[], None).await
    }

    /// What joining the session takes.
    pub async fn join(&self, id: SessionId) -> Result<Join, CloudError> {
        self.ask(Method::POST, &format!("{SESSIONS_PATH}/{id}/join"), &[], None).await
    }

    /// Ends the session.
    pub async fn stop(&self, id: SessionId) -> Result<SessionView, CloudError> {
        self.ask(Method::POST, &format!("{SESSIONS_PATH}/{id}/stop"), &[], None).await
    }

    async fn all<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<T>, CloudError> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let mut query = query.to_vec();
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.ask(Method::GET, path, &query, None).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    async fn post<A: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<A, CloudError> {
        let json = serde_json::to_vec(body).map_err(|error| CloudError::Answer(error.to_string()))?;
        self.ask(Method::POST, path, &[], Some(json)).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        json: Option<Vec<u8>>,
    ) -> Result<A, CloudError> {
        let mut url = self.base.join(path).map_err(|error| CloudError::Answer(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.http.ask(method, &url, self.token.as_deref(), json).await.map_err(|error| match error {
            NoAnswer::Unreachable(reason) => CloudError::Unreachable { host: authority(&self.base), reason },
            NoAnswer::TooLong(_) => CloudError::Answer(error.to_string()),
        })?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|error| CloudError::Answer(error.to_string()));
        }
        match serde_json::from_slice::<Problem>(&answer.body) {
            _ if answer.status == StatusCode::UNAUTHORIZED && self.token.is_some() => Err(CloudError::SignedOut),
            Ok(problem) => Err(CloudError::Refused(Box::new(problem))),
            Err(_) => Err(CloudError::Answer(format!("status {}; is this the portal's address?", answer.status))),
        }
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
