//! The way in over HTTP: who sends a ticket, what is in the form, and how a browser is known from then on.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Body as HttpBody;

use super::{Body, Face, Pass};

/// A form with a ticket is not longer.
const FORM_BYTES: usize = 1024;

/// Whether a page of the portal sends this.
pub fn comes_from(portal: &str, headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == portal.as_bytes())
}

/// A small form; an empty one when it cannot be read.
pub async fn form<B>(body: B) -> Bytes
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Limited::new(body, FORM_BYTES).collect().await.map(Collected::to_bytes).unwrap_or_default()
}

/// The ticket in a form; an empty one when there is none.
pub fn ticket(form: &[u8]) -> String {
    let mut fields = url::form_urlencoded::parse(form);
    fields.find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned()).unwrap_or_default()
}

/// What a browser that has come in is answered: the cookie, and the panel's first page.
pub fn entered(face: &Face, pass: &Pass) -> Response<()> {
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let cookie = format!("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", face.pass_cookie(), pass.reveal());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    answer
}

/// What stands above the pages that are ours and not the panel's.
pub fn own_headers(headers: &mut HeaderMap, policy: &'static str) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A body that is here already.
pub fn whole(text: String) -> Body {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_comes_from_the_portal_in_a_form() {
        let told = |origin: &'static str| HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
        assert!(comes_from("https://portal.example", &told("https://portal.example")));
        for other in ["https://portal.example.evil.example", "http://portal.example", "null"] {
            assert!(!comes_from("https://portal.example", &told(other)), "{other}");
        }
        assert!(!comes_from("https://portal.example", &HeaderMap::new()));
        assert_eq!((ticket(b"a=b&ticket=x%79z").as_str(), ticket(b"ticke=t").as_str()), ("xyz", ""));
    }
}
