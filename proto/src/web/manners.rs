//! What a browser may ask for and on whose behalf: a panel's pages are used by themselves and by a person, never by
//! another site. Pure.

use http::{HeaderMap, Method, header};

use super::Face;

/// Why a request of a browser that has come in is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// A page of another origin sent it.
    #[error("a page of another site asked for this")]
    Origin,
    /// It would go on answering after the session.
    #[error("a page may not install a service worker here")]
    ServiceWorker,
}

/// Whether a request may be passed on. `Origin` (RFC 6454) where the browser sends it, Fetch Metadata beside it: a link
/// from elsewhere is followed by a person, everything else comes from the panel's own pages.
pub fn judge(method: &Method, headers: &HeaderMap, face: &Face) -> Result<(), Foreign> {
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if told("service-worker") == Some("script") {
        return Err(Foreign::ServiceWorker);
    }
    let opaque_is_ours = told("sec-fetch-site") == Some("same-origin");
    match told(header::ORIGIN.as_str()) {
        Some(origin) if origin == face.origin() => return Ok(()),
        // What a page says that asks for no referrer at all; Fetch Metadata knows better.
        Some("null") if opaque_is_ours => return Ok(()),
        Some(_) => return Err(Foreign::Origin),
        None => {}
    }
    match told("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => {
            let followed = told("sec-fetch-mode") == Some("navigate") && told("sec-fetch-dest") == Some("document");
            if followed && matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(Foreign::Origin) }
        }
    }
}

/// Whether a request asks for another protocol on its connection (RFC 9110 section 7.8), as web sockets do.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        && headers.get_all(header::CONNECTION).iter().any(|line| {
            line.to_str().is_ok_and(|line| line.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::{super::Scheme, *};

    fn asked(method: &Method, told: &[(&'static str, &'static str)]) -> Result<(), Foreign> {
        let face = Face { scheme: Scheme::Https, authority: "s-abc.web.example".into(), port_of_its_own: None };
        let headers = told
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect();
        judge(method, &headers, &face)
    }

    const OWN: (&str, &str) = ("origin", "https://s-abc.web.example");

    #[test]
    fn a_panels_own_pages_and_a_person_are_let_through() {
        assert_eq!(asked(&Method::GET, &[]), Ok(()), "a program, or a browser of old");
        assert_eq!(asked(&Method::POST, &[OWN, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(asked(&Method::GET, &[OWN, ("upgrade", "websocket"), ("connection", "Upgrade")]), Ok(()));
        assert_eq!(asked(&Method::POST, &[("origin", "null"), ("sec-fetch-site", "same-origin")]), Ok(()));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(asked(&Method::GET, &link), Ok(()));
    }

    #[test]
    fn another_site_is_not() {
        for origin in ["https://evil.example", "http://s-abc.web.example", "https://s-abd.web.example", "null"] {
            assert_eq!(asked(&Method::POST, &[("origin", origin)]), Err(Foreign::Origin), "{origin}");
            let socket = [("origin", origin), ("upgrade", "websocket"), ("connection", "Upgrade")];
            assert_eq!(asked(&Method::GET, &socket), Err(Foreign::Origin), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            let framed = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
            assert_eq!(asked(&Method::GET, &framed), Err(Foreign::Origin), "{site}");
            let fetched = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
            assert_eq!(asked(&Method::GET, &fetched), Err(Foreign::Origin), "{site}");
            let posted = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            assert_eq!(asked(&Method::POST, &posted), Err(Foreign::Origin), "{site}");
        }
    }

    #[test]
    fn nothing_is_installed_that_outlives_the_session() {
        let script = [("service-worker", "script"), ("sec-fetch-site", "same-origin")];
        assert_eq!(asked(&Method::GET, &script), Err(Foreign::ServiceWorker));
    }
}
