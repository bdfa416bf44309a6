//! What is answered under the name of a blind page: a browser comes in with a ticket of the portal's, is known by its
//! cookie from then on, and has the panel's pages. The same as at the gateway, on the device.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatelodge_proto::web::{
    Body, Door, Duplex, ENTER, OWN_PATHS, Passage, Trouble, Unreached, cookies, door::NoEntry, entrance, manners,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_rustls::TlsAcceptor;

use super::Ids;
use crate::local_page::Words;

/// Longest wait for the next request of a connection.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
/// For the few words that are ours.
const POLICY: &str = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'";

/// The pages of a panel under a name, and who is inside.
pub(super) struct Page {
    pub(super) tls: TlsAcceptor,
    portal: String,
    passage: Passage,
    door: Mutex<Door>,
}

impl Page {
    pub(super) fn new(portal: String, passage: Passage, tls: TlsAcceptor) -> Self {
        Self { tls, portal, passage, door: Mutex::default() }
    }

    pub(super) fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests of one connection.
    pub(super) async fn serve(self: &Arc<Self>, io: impl Duplex + 'static, ids: &Ids) {
        let service =
            service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(self.answer(request, ids).await));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a browser's connection broke");
        }
    }

    async fn answer(&self, request: Request<Incoming>, ids: &Ids) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path == ENTER && head.method == Method::POST {
            return self.enters(&head, body, ids).await;
        }
        if path.starts_with(OWN_PATHS) {
            return self.says(&head.headers, StatusCode::NOT_FOUND, "blind-nothing");
        }
        let pass = cookies::value(&head.headers, &self.passage.face().pass_cookie());
        if !pass.is_some_and(|pass| self.door().knows(pass)) {
            let taken = self.door().is_taken();
            return self.says(&head.headers, StatusCode::FORBIDDEN, if taken { "blind-taken" } else { "blind-closed" });
        }
        if let Err(why) = manners::judge(&head.method, &head.headers, self.passage.face()) {
            tracing::debug!(%why, "a request is refused");
            return self.says(&head.headers, StatusCode::FORBIDDEN, "blind-foreign");
        }
        let told = head.headers.clone();
        match self.passage.pass(Request::from_parts(head, body)).await {
            Ok(answer) => answer,
            Err(trouble) => {
                let (status, key) = in_words(trouble);
                self.says(&told, status, key)
            }
        }
    }

    /// A browser comes from the portal with its ticket.
    async fn enters(&self, head: &Parts, body: Incoming, ids: &Ids) -> Response<Body> {
        if !entrance::comes_from(&self.portal, &head.headers) {
            return self.says(&head.headers, StatusCode::FORBIDDEN, "blind-ticket");
        }
        let ticket = entrance::ticket(&entrance::form(body).await);
        let entered = self.door().enter(&ticket, ids.now(), &ids.random);
        match entered {
            Ok(pass) => entrance::entered(self.passage.face(), &pass).map(|()| entrance::whole(String::new())),
            Err(NoEntry::Late) => self.says(&head.headers, StatusCode::FORBIDDEN, "blind-late"),
            Err(NoEntry::Unknown) => self.says(&head.headers, StatusCode::FORBIDDEN, "blind-ticket"),
        }
    }

    /// Words of ours, in the browser's language, and the way back to the portal.
    fn says(&self, told: &HeaderMap, status: StatusCode, key: &str) -> Response<Body> {
        let words = Words::accepted(told.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()));
        let (language, said, back) = (words.tag(), words.get(key), words.get("blind-portal"));
        let portal = self.portal.replace(['"', '<', '&'], "");
        let mut answer = Response::new(entrance::whole(format!(
            "<!doctype html><html lang=\"{language}\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{back}</title>\
             <p>{said}</p><p><a href=\"{portal}\">{back}</a></p></html>\n"
        )));
        *answer.status_mut() = status;
        let html = http::HeaderValue::from_static("text/html; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, html);
        entrance::own_headers(answer.headers_mut(), POLICY);
        answer
    }
}

const fn in_words(trouble: Trouble) -> (StatusCode, &'static str) {
    match trouble {
        Trouble::Unreached(Unreached::NotAllowed) => (StatusCode::BAD_GATEWAY, "blind-not-allowed"),
        Trouble::Unreached(Unreached::Refused) => (StatusCode::BAD_GATEWAY, "blind-refused"),
        Trouble::Unreached(Unreached::Silent) | Trouble::Silent => (StatusCode::GATEWAY_TIMEOUT, "blind-silent"),
        Trouble::Unreached(Unreached::Unreachable | Unreached::NoSuchName) => {
            (StatusCode::BAD_GATEWAY, "blind-unreachable")
        }
        Trouble::Unreached(Unreached::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "blind-busy"),
        Trouble::Unreached(Unreached::Tls) | Trouble::NoHttp => (StatusCode::BAD_GATEWAY, "blind-no-http"),
        Trouble::Unreached(Unreached::Over) | Trouble::Broken => (StatusCode::BAD_GATEWAY, "blind-broken"),
    }
}
