//! One panel's pages for one browser: each request on to the panel, each answer back, streamed both ways in bounded
//! memory. Whoever calls it has looked at who asks.

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body as HttpBody, Frame, SizeHint},
    upgrade::OnUpgrade,
};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::crypto::CryptoProvider;
use tokio::time::Instant;

use super::{
    Dial, Face, Panel, Unreached, headers,
    manners::is_upgrade,
    origins::{Origins, Rewriter},
    wire::Connector,
};

/// Connections that wait for the next request; old panels have few.
const IDLE_CONNECTIONS: usize = 4;
/// Not longer than small servers keep them.
const IDLE: Duration = Duration::from_secs(10);
/// A panel that says nothing for so long, while nothing is sent to it either, does not answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);

type BoxError = Box<dyn Error + Send + Sync>;

/// A body on its way.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection.
    #[error(transparent)]
    Unreached(#[from] Unreached),
    /// It took the request and says nothing.
    #[error("it took the request and does not answer")]
    Silent,
    /// What it says is no HTTP.
    #[error("what answers there is no web page")]
    NoHttp,
    /// The connection broke.
    #[error("the connection broke before it answered")]
    Broken,
}

/// The way to one panel.
pub struct Passage {
    panel: Panel,
    face: Face,
    origins: Origins,
    http: legacy::Client<Connector, Body>,
}

impl Passage {
    /// No connection is made yet.
    pub fn new(
        panel: Panel,
        face: Face,
        dial: impl Dial,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let connector = Connector::new(&panel, dial, provider)?;
        // As programs wrote headers when old panels were made, and as old panels write theirs.
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .set_host(false)
            .http1_title_case_headers(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .build(connector);
        let origins = Origins::of(&panel, &face);
        Ok(Self { panel, face, origins, http })
    }

    /// Under which origin the pages are seen.
    pub const fn face(&self) -> &Face {
        &self.face
    }

    /// Passes a request on and gives the panel's answer. What asks and changes nothing (RFC 9110 section 9.2.1) is asked
    /// once more when the connection broke: old panels close one just when it is used again.
    pub async fn pass<B>(&self, request: Request<B>) -> Result<Response<Body>, Trouble>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut head, body) = request.into_parts();
        let upgrades = is_upgrade(&head.headers);
        let browser = head.extensions.remove::<OnUpgrade>().filter(|_| upgrades);
        headers::for_panel(&mut head.headers, &self.panel, &self.face, browser.is_some());
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme(self.panel.scheme.word()).authority(self.panel.authority());
        let mut sent = Request::new(());
        *sent.method_mut() = head.method;
        *sent.uri_mut() = uri.path_and_query(path).build().map_err(|_| Trouble::NoHttp)?;
        *sent.headers_mut() = head.headers;
        let safe = matches!(*sent.method(), Method::GET | Method::HEAD) && body.is_end_stream() && !upgrades;
        let again = safe.then(|| sent.clone());
        let moved = Moved::default();
        let body = Watched { inner: body.map_err(Into::into).boxed_unsync(), moved: moved.clone() };
        let mut answer = match (self.answered(sent.map(|()| body.boxed_unsync()), &moved).await, again) {
            (Err(Trouble::Broken), Some(again)) => {
                let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
                self.answered(again.map(|()| empty), &Moved::default()).await?
            }
            (answer, _) => answer?,
        };

        let panel = hyper::upgrade::on(&mut answer);
        let (mut head, body) = answer.into_parts();
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let rewritten = headers::for_browser(head.status, &mut head.headers, &self.origins, &self.face);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let Some(browser) = browser else { return Err(Trouble::NoHttp) };
            tokio::spawn(join(browser, panel));
        }
        let body = body.map_err(Into::into).boxed_unsync();
        let body = if rewritten {
            Rewritten { inner: body, rewriter: Rewriter::new(self.origins.clone()), last: Last::Open }.boxed_unsync()
        } else {
            body
        };
        Ok(Response::from_parts(head, body))
    }

    async fn answered(
        &self,
        request: Request<Body>,
        moved: &Moved,
    ) -> Result<Response<hyper::body::Incoming>, Trouble> {
        let mut answering = std::pin::pin!(self.http.request(request));
        loop {
            let until = moved.at() + ANSWERS_WITHIN;
            tokio::select! {
                answer = &mut answering => return answer.map_err(|error| trouble(&error)),
                // What is being sent is on its way, however long that takes.
                () = tokio::time::sleep_until(until) => if moved.at() + ANSWERS_WITHIN <= Instant::now() {
                    return Err(Trouble::Silent);
                },
            }
        }
    }
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passage").field("panel", &self.panel).field("face", &self.face).finish_non_exhaustive()
    }
}

fn trouble(error: &legacy::Error) -> Trouble {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(unreached) = found.downcast_ref::<Unreached>() {
            return (*unreached).into();
        }
        if found.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Trouble::NoHttp;
        }
        cause = found.source();
    }
    tracing::debug!(error = error as &dyn Error, "a panel's answer broke off");
    Trouble::Broken
}

/// Bytes both ways after an upgrade, until either end is done. Both end with their connections, and those with the
/// session.
async fn join(browser: OnUpgrade, panel: OnUpgrade) {
    let (browser, panel) = match tokio::try_join!(browser, panel) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "an upgrade came to nothing"),
    };
    let (mut browser, mut panel) = (TokioIo::new(browser), TokioIo::new(panel));
    if let Err(error) = tokio::io::copy_bidirectional(&mut browser, &mut panel).await {
        tracing::debug!(%error, "an upgraded connection broke");
    }
}

/// When a request last moved.
#[derive(Clone)]
struct Moved(Arc<Mutex<Instant>>);

impl Default for Moved {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Moved {
    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A body that tells when it moves.
struct Watched {
    inner: Body,
    moved: Moved,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        self.moved.now();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body in which the panel's origin becomes ours.
struct Rewritten {
    inner: Body,
    rewriter: Rewriter,
    last: Last,
}

/// What is left to say.
enum Last {
    Open,
    Trailers(HeaderMap),
    Over,
}

impl HttpBody for Rewritten {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match std::mem::replace(&mut self.last, Last::Over) {
                Last::Open => {}
                Last::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Last::Over => return Poll::Ready(None),
            }
            let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending => {
                    self.last = Last::Open;
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(None) => None,
            };
            let out = match frame.map(Frame::into_data) {
                Some(Ok(data)) => {
                    self.last = Last::Open;
                    self.rewriter.feed(&data)
                }
                Some(Err(frame)) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.last = Last::Trailers(trailers);
                    }
                    self.rewriter.finish()
                }
                None => self.rewriter.finish(),
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}
