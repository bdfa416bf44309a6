//! What is answered at a panel's origin: a browser comes in with a ticket, is known by its cookie from then on, and has
//! the panel's pages. Everybody else, and everything that does not come to a panel's answer, has a calm page of ours.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use gatelodge_proto::{
    payload::EndReason,
    web::{
        ENTER, OWN_PATHS, Trouble, Unreached, cookies,
        door::NoEntry,
        entrance,
        manners::{self, Foreign},
    },
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use tokio::time::{Instant, timeout};

use super::{
    Gateway,
    name::{Label, portal_origin},
    visit::{Stage, Visit, Way},
};
use crate::{
    accounts::portal_session,
    i18n::{say, say_with},
    render::{
        Html, asset,
        pages::{Gate, GateLink},
        paths,
    },
    web::{LongBody, Visitor},
};

/// How often it is looked whether the browser is still signed in.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for a place among the requests of one page.
pub(super) const PLACE_WITHIN: Duration = Duration::from_secs(30);

/// Takes requests for panels' origins out of those for the portal.
pub async fn divide(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    match gateway.addressed(&request) {
        Some(label) => gateway.answer(&label, request).await,
        None => next.run(request).await,
    }
}

impl Gateway {
    fn addressed(&self, request: &Request) -> Option<Label> {
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        // HTTP/2 says it in the address.
        let host = request.uri().authority().map(http::uri::Authority::as_str).or(named)?;
        let config = &self.0.kits.config;
        // The portal may itself be below that domain.
        let own = [&config.public_url, &config.device_url].into_iter().filter_map(url::Url::host_str);
        let bare = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if own.into_iter().any(|own| own.eq_ignore_ascii_case(bare)) {
            return None;
        }
        self.0.naming.addressed(host)
    }

    /// Answers a request at a panel's origin.
    pub async fn answer(&self, label: &Label, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let Ok(visitor): Result<_, Infallible> = Visitor::from_request_parts(&mut head, &()).await;
        let words = Words { gateway: self, visitor, wants_page: wants_page(&head) };
        let path = head.uri.path();
        if path == ENTER && head.method == Method::POST {
            return self.enters(label, &words, &head, body).await;
        }
        if let Some(rest) = path.strip_prefix(OWN_PATHS) {
            return own_file(rest).unwrap_or_else(|| words.plain(StatusCode::NOT_FOUND, "nothing", GateLink::Portal));
        }
        let visits = self.visits().by_label.get(label).cloned().unwrap_or_default();
        let known = visits.iter().find(|visit| {
            let pass = cookies::value(&head.headers, &visit.face.pass_cookie());
            pass.is_some_and(|pass| visit.door().knows(pass))
        });
        let Some(visit) = known else { return self.nobody(label, &words, &visits) };
        if let Err(why) = manners::judge(&head.method, &head.headers, &visit.face) {
            return foreign(why);
        }
        if !self.is_signed_in(visit).await {
            return words.plain(StatusCode::FORBIDDEN, "signed-out", GateLink::Portal);
        }
        self.pass(visit, &words, Request::from_parts(head, body)).await
    }

    async fn pass(&self, visit: &Arc<Visit>, words: &Words<'_>, request: Request) -> Response {
        let passage = match visit.stage() {
            Stage::Inside(Way::Readable(passage)) => passage,
            Stage::Inside(Way::Blind(_)) => return words.plain(StatusCode::FORBIDDEN, "closed", GateLink::Portal),
            Stage::Over(reason, _) => return words.over(reason),
            Stage::Asked | Stage::Joining => {
                return words.plain(StatusCode::SERVICE_UNAVAILABLE, "early", GateLink::Again);
            }
        };
        let Ok(Ok(place)) = timeout(PLACE_WITHIN, visit.requests.clone().acquire_owned()).await else {
            return words.plain(StatusCode::SERVICE_UNAVAILABLE, "busy", GateLink::Again);
        };
        match passage.pass(request).await {
            Ok(answer) => {
                let mut answer = answer.map(Body::new);
                answer.extensions_mut().insert(LongBody::holding(place));
                answer
            }
            Err(trouble) => {
                // What broke off because the session ended is the session's end.
                let mut stages = visit.stages();
                let ends = stages.wait_for(|stage| matches!(stage, Stage::Over(..)));
                match timeout(Duration::from_secs(1), ends).await {
                    Ok(Ok(stage)) => match &*stage {
                        Stage::Over(reason, _) => words.over(*reason),
                        Stage::Asked | Stage::Joining | Stage::Inside(_) => words.trouble(trouble),
                    },
                    Ok(Err(_)) | Err(_) => words.trouble(trouble),
                }
            }
        }
    }

    /// A browser comes from the portal with its ticket.
    async fn enters(&self, label: &Label, words: &Words<'_>, head: &Parts, body: Body) -> Response {
        let kits = &self.0.kits;
        if !entrance::comes_from(&portal_origin(&kits.config.public_url), &head.headers) {
            return words.plain(StatusCode::FORBIDDEN, "ticket", GateLink::Portal);
        }
        let ticket = entrance::ticket(&entrance::form(body).await);
        let visits = self.visits().by_label.get(label).cloned().unwrap_or_default();
        let (mut late, now) = (false, kits.now());
        for visit in visits {
            let entered = visit.door().enter(&ticket, now, &kits.random);
            match entered {
                Ok(pass) => {
                    return entrance::entered(&visit.face, &pass).map(|()| Body::empty());
                }
                Err(NoEntry::Late) => late = true,
                Err(NoEntry::Unknown) => {}
            }
        }
        words.plain(StatusCode::FORBIDDEN, if late { "late" } else { "ticket" }, GateLink::Portal)
    }

    /// Somebody without the cookie of whoever came in.
    fn nobody(&self, label: &Label, words: &Words<'_>, visits: &[Arc<Visit>]) -> Response {
        if label.web_address().is_some() && words.wants_page {
            let path = paths::link(paths::OWN_PAGE, label_text(label));
            let to = format!("{}{path}", portal_origin(&self.0.kits.config.public_url));
            return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
        }
        let live = |visit: &&Arc<Visit>| !matches!(visit.stage(), Stage::Over(..));
        let taken = visits.iter().filter(live).any(|visit| visit.door().is_taken());
        words.plain(StatusCode::FORBIDDEN, if taken { "taken" } else { "closed" }, GateLink::Portal)
    }

    /// A page lasts no longer than the sign-in of the browser that opened it.
    pub(super) async fn is_signed_in(&self, visit: &Visit) -> bool {
        let secret = {
            let holder = visit.holder();
            let Some(holder) = &*holder else { return false };
            if holder.seen.elapsed() < LOOKS_EVERY {
                return true;
            }
            holder.secret.clone()
        };
        match portal_session::recognise(&self.0.kits, &secret).await {
            Ok(Some(found)) if visit.owner == (&found.member).into() => {
                if let Some(holder) = &mut *visit.holder() {
                    holder.seen = Instant::now();
                }
                true
            }
            Ok(_) => false,
            // The session itself stands on its lease; a page does not end because nobody can tell.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a sign-in could not be looked up");
                true
            }
        }
    }
}

fn label_text(label: &Label) -> &str {
    match label {
        Label::Host(name) => name,
        Label::Port(_) => "",
    }
}

/// Whether somebody looks at the answer, or a script reads it.
fn wants_page(head: &Parts) -> bool {
    let told = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    match told("sec-fetch-dest") {
        Some(dest) => matches!(dest, "document" | "iframe" | "frame"),
        None => told("accept").is_some_and(|accept| accept.contains("text/html")),
    }
}

/// The style of our own pages there.
fn own_file(name: &str) -> Option<Response> {
    let asset = asset(name.strip_prefix("assets/")?)?;
    let kind = [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, "private, max-age=3600".to_owned())];
    Some((kind, asset.bytes.into_owned()).into_response())
}

fn foreign(why: Foreign) -> Response {
    (StatusCode::FORBIDDEN, [(header::CACHE_CONTROL, "no-store")], format!("{why}\n")).into_response()
}

/// What we say ourselves.
struct Words<'a> {
    gateway: &'a Gateway,
    visitor: Visitor,
    wants_page: bool,
}

impl Words<'_> {
    fn plain(&self, status: StatusCode, code: &'static str, link: GateLink) -> Response {
        self.tell(status, code, None, link)
    }

    /// The end of a session. What its pages have stored in the browser is of no more use.
    fn over(&self, reason: EndReason) -> Response {
        let why = say(self.visitor.language, &format!("end-{}", reason.word().replace('_', "-")));
        let mut response = self.tell(StatusCode::GONE, "over", Some(why), GateLink::Portal);
        response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
        response
    }

    fn trouble(&self, trouble: Trouble) -> Response {
        let (status, code) = match trouble {
            Trouble::Unreached(Unreached::NotAllowed) => (StatusCode::BAD_GATEWAY, "not-allowed"),
            Trouble::Unreached(Unreached::Refused) => (StatusCode::BAD_GATEWAY, "refused"),
            Trouble::Unreached(Unreached::Silent) | Trouble::Silent => (StatusCode::GATEWAY_TIMEOUT, "silent"),
            Trouble::Unreached(Unreached::Unreachable | Unreached::NoSuchName) => {
                (StatusCode::BAD_GATEWAY, "unreachable")
            }
            Trouble::Unreached(Unreached::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Trouble::Unreached(Unreached::Tls) | Trouble::NoHttp => (StatusCode::BAD_GATEWAY, "no-http"),
            Trouble::Unreached(Unreached::Over) | Trouble::Broken => (StatusCode::BAD_GATEWAY, "broken"),
        };
        self.tell(status, code, None, GateLink::Again)
    }

    fn tell(&self, status: StatusCode, code: &'static str, why: Option<String>, link: GateLink) -> Response {
        let kits = &self.gateway.0.kits;
        let language = self.visitor.language;
        let words = |part: &str| say(language, &format!("gate-{code}-{part}"));
        let what = match why {
            Some(why) => say_with(language, &format!("gate-{code}-what"), &[("why", why.into())]),
            None => words("what"),
        };
        let mut response = if self.wants_page {
            let page = Gate {
                page: self.visitor.page(kits.now()),
                title: words("title"),
                what,
                next: words("next"),
                link,
                portal: portal_origin(&kits.config.public_url),
            };
            (status, Html(page)).into_response()
        } else {
            (status, format!("{what} {}\n", words("next"))).into_response()
        };
        own_headers(response.headers_mut());
        response
    }
}

/// Ours, not the panel's.
fn own_headers(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'self'; base-uri 'none'";
    entrance::own_headers(headers, policy);
}
