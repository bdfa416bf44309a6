//! What of a request and of an answer is changed on its way, and nothing else is. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Face, Panel, Scheme, cookies, origins::Origins};

/// About one connection alone (RFC 9110 section 7.6.1), and what programs of old say beside them.
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// What an answer says about its host as a whole, or about other places: the panel does not own this host, and what is
/// installed would outlive the session.
const NOT_PASSED_ON: [&str; 6] = [
    "alt-svc",
    "clear-site-data",
    "public-key-pins",
    "service-worker-allowed",
    "set-cookie2",
    "strict-transport-security",
];

/// Where an answer may name its own origin.
const NAMES_ORIGIN: [HeaderName; 9] = [
    header::LOCATION,
    header::CONTENT_LOCATION,
    header::REFRESH,
    header::LINK,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
    HeaderName::from_static("sourcemap"),
    HeaderName::from_static("x-frame-options"),
];

/// Removes what is about one connection alone, and gives what was said of another protocol on it.
fn without_hops(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(header::UPGRADE).cloned();
    let trailers = headers.get_all(header::TE).iter().any(|line| line.as_bytes().eq_ignore_ascii_case(b"trailers"));
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let named: Vec<HeaderName> =
        lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

fn keep_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::UPGRADE, protocol);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
}

/// What a browser wants to make of an answer that is rewritten; a picture may come compressed.
fn may_be_text(headers: &HeaderMap) -> bool {
    let wanted = headers.get("sec-fetch-dest").and_then(|value| value.to_str().ok());
    !matches!(wanted, Some("image" | "font" | "audio" | "video" | "track" | "object" | "embed"))
}

/// Dresses a browser's request for the panel: as if the browser stood beside it.
pub fn for_panel(headers: &mut HeaderMap, panel: &Panel, face: &Face, upgrades: bool) {
    let protocol = without_hops(headers).filter(|_| upgrades);
    cookies::for_panel(headers, face);
    if let Ok(host) = HeaderValue::from_str(&panel.authority()) {
        headers.insert(header::HOST, host);
    }
    let (ours, theirs) = (face.origin(), panel.origin());
    for name in [header::ORIGIN, header::REFERER, HeaderName::from_static("destination")] {
        let told = headers.get(&name).and_then(|value| value.to_str().ok());
        let rest = told.and_then(|told| told.strip_prefix(ours.as_str()));
        let within = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        if let Some(value) = within.and_then(|rest| HeaderValue::from_str(&format!("{theirs}{rest}")).ok()) {
            headers.insert(name, value);
        }
    }
    if may_be_text(headers) && headers.contains_key(header::ACCEPT_ENCODING) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    // The answer to it comes from here, when the body is read.
    headers.remove(header::EXPECT);
    if let Some(protocol) = protocol {
        keep_upgrade(headers, protocol);
    }
}

/// Whether the body of an answer is rewritten: text that pages are made of, whole, and not compressed against our wish.
pub fn is_rewritten(status: StatusCode, headers: &HeaderMap) -> bool {
    const TEXT: [&str; 11] = [
        "text/html",
        "text/css",
        "text/javascript",
        "text/xml",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/json",
        "application/xml",
        "application/xhtml+xml",
        "application/manifest+json",
    ];
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    let saved = headers
        .get(header::CONTENT_DISPOSITION)
        .is_some_and(|how| how.as_bytes().get(..10).is_some_and(|how| how.eq_ignore_ascii_case(b"attachment")));
    TEXT.iter().any(|text| text.eq_ignore_ascii_case(kind))
        && !encoded
        && !saved
        && status != StatusCode::PARTIAL_CONTENT
}

/// Dresses a panel's answer for the browser. Gives whether its body is rewritten.
pub fn for_browser(status: StatusCode, headers: &mut HeaderMap, origins: &Origins, face: &Face) -> bool {
    let protocol = without_hops(headers).filter(|_| status == StatusCode::SWITCHING_PROTOCOLS);
    headers.remove(header::TE);
    for name in NOT_PASSED_ON {
        headers.remove(name);
    }
    cookies::for_browser(headers, face);
    for name in NAMES_ORIGIN {
        if let header::Entry::Occupied(mut values) = headers.entry(name) {
            for value in values.iter_mut() {
                if let Ok(ours) = HeaderValue::from_bytes(&origins.replace(value.as_bytes())) {
                    *value = ours;
                }
            }
        }
    }
    let rewritten = is_rewritten(status, headers);
    if rewritten {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        for digest in ["content-md5", "digest", "repr-digest", "content-digest"] {
            headers.remove(digest);
        }
    }
    if let Some(protocol) = protocol {
        keep_upgrade(headers, protocol);
        return false;
    }
    keep_to_itself(headers, face);
    rewritten
}

/// What is added: nobody else frames these pages, and no other site learns their address. A panel's own word on either
/// stands.
fn keep_to_itself(headers: &mut HeaderMap, face: &Face) {
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    // A page of frames frames itself. What a script puts together as `http://` + its host is asked for with TLS.
    let policy = match face.scheme {
        Scheme::Https => "frame-ancestors 'self'; upgrade-insecure-requests",
        Scheme::Http => "frame-ancestors 'self'",
    };
    headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        Panel { scheme: Scheme::Http, host: "192.168.1.50".into(), found_at: None, port: 80 }
    }

    fn face() -> Face {
        Face { scheme: Scheme::Https, authority: "s-abc.web.example".into(), port_of_its_own: None }
    }

    fn headers(told: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in told {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn asked(told: &[(&str, &str)], upgrades: bool) -> HeaderMap {
        let mut headers = headers(told);
        for_panel(&mut headers, &panel(), &face(), upgrades);
        headers
    }

    fn answered(status: u16, told: &[(&str, &str)]) -> (HeaderMap, bool) {
        let (mut headers, origins) = (headers(told), Origins::of(&panel(), &face()));
        let status = StatusCode::from_u16(status).unwrap();
        let rewritten = for_browser(status, &mut headers, &origins, &face());
        (headers, rewritten)
    }

    fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_panel_believes_the_browser_beside_it() {
        let told = asked(
            &[
                ("host", "s-abc.web.example"),
                ("origin", "https://s-abc.web.example"),
                ("referer", "https://s-abc.web.example/menu?x=1"),
                ("authorization", "Digest uri=\"/menu?x=1\""),
                ("accept-encoding", "gzip, br"),
                ("cookie", "__Host-gl-pass=secret; sid=1"),
                ("connection", "keep-alive, x-private"),
                ("x-private", "1"),
                ("expect", "100-continue"),
            ],
            false,
        );
        assert_eq!(one(&told, "host"), Some("192.168.1.50"));
        assert_eq!(one(&told, "origin"), Some("http://192.168.1.50"));
        assert_eq!(one(&told, "referer"), Some("http://192.168.1.50/menu?x=1"));
        assert_eq!(one(&told, "authorization"), Some("Digest uri=\"/menu?x=1\""));
        assert_eq!(one(&told, "accept-encoding"), Some("identity"));
        assert_eq!(one(&told, "cookie"), Some("sid=1"));
        for gone in ["connection", "x-private", "expect", "keep-alive"] {
            assert_eq!(one(&told, gone), None, "{gone}");
        }
        let foreign = asked(
            &[("referer", "https://s-abc.web.example.evil/"), ("sec-fetch-dest", "image"), ("accept-encoding", "gzip")],
            false,
        );
        assert_eq!(one(&foreign, "referer"), Some("https://s-abc.web.example.evil/"));
        assert_eq!(one(&foreign, "accept-encoding"), Some("gzip"), "a picture is not rewritten");
    }

    #[test]
    fn a_web_socket_keeps_its_upgrade_and_nothing_else_does() {
        let socket = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        let told = asked(&socket, true);
        assert_eq!((one(&told, "connection"), one(&told, "upgrade")), (Some("Upgrade"), Some("websocket")));
        assert_eq!(one(&asked(&socket, false), "upgrade"), None);
        let (told, rewritten) =
            answered(101, &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")]);
        assert_eq!(
            (one(&told, "upgrade"), one(&told, "sec-websocket-accept"), rewritten),
            (Some("websocket"), Some("x"), false)
        );
        assert_eq!(one(&answered(200, &[("upgrade", "h2c"), ("connection", "upgrade")]).0, "upgrade"), None);
    }

    #[test]
    fn an_answer_leads_to_our_origin_and_says_nothing_of_the_host() {
        let (told, rewritten) = answered(
            302,
            &[
                ("location", "http://192.168.1.50:80/login"),
                ("refresh", "5; url=http://192.168.1.50/next"),
                ("content-location", "http://192.168.1.50/a"),
                ("set-cookie", "a=1; Domain=192.168.1.50"),
                ("set-cookie", "b=2"),
                ("content-type", "text/html; charset=iso-8859-1"),
                ("content-length", "120"),
                ("strict-transport-security", "max-age=1"),
                ("clear-site-data", "\"cookies\""),
                ("service-worker-allowed", "/"),
                ("content-security-policy", "connect-src ws://192.168.1.50"),
                ("www-authenticate", "Digest domain=\"http://192.168.1.50/\""),
            ],
        );
        assert!(rewritten);
        assert_eq!(one(&told, "location"), Some("https://s-abc.web.example/login"));
        assert_eq!(one(&told, "refresh"), Some("5; url=https://s-abc.web.example/next"));
        assert_eq!(one(&told, "content-location"), Some("https://s-abc.web.example/a"));
        let cookies: Vec<_> = told.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
        assert_eq!(cookies, ["a=1; Secure", "b=2; Secure"]);
        let policies: Vec<_> = told.get_all("content-security-policy").iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(
            policies,
            ["connect-src wss://s-abc.web.example", "frame-ancestors 'self'; upgrade-insecure-requests"]
        );
        assert_eq!(one(&told, "referrer-policy"), Some("same-origin"));
        assert_eq!(one(&told, "www-authenticate"), Some("Digest domain=\"http://192.168.1.50/\""));
        for gone in ["content-length", "strict-transport-security", "clear-site-data", "service-worker-allowed"] {
            assert_eq!(one(&told, gone), None, "{gone}");
        }
    }

    #[test]
    fn files_streams_and_parts_are_left_as_they_are() {
        for told in [
            &[("content-type", "application/octet-stream"), ("content-length", "7")][..],
            &[("content-type", "text/event-stream")],
            &[("content-type", "text/html"), ("content-encoding", "gzip")],
            &[("content-type", "text/html"), ("content-disposition", "Attachment; filename=log.html")],
        ] {
            let (headers, rewritten) = answered(200, told);
            assert!(!rewritten, "{told:?}");
            assert_eq!(headers.contains_key("content-length"), told.iter().any(|(name, _)| *name == "content-length"));
        }
        assert!(!answered(206, &[("content-type", "text/html"), ("content-range", "bytes 0-1/2")]).1);
        assert!(answered(200, &[("content-type", "Text/HTML;charset=utf-8")]).1);
    }
}
