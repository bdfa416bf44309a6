//! Who may ask. A page of another site must neither read this one (DNS rebinding) nor press its buttons (CSRF).

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Addressed to a name that is not this device's.
    Host,
    /// A form of another site.
    Origin,
}

impl Refusal {
    const fn words(self) -> &'static str {
        match self {
            Self::Host => "This page answers to the device's address, to localhost and to names under .local only.\n",
            Self::Origin => "This came from another site. Open the device's page and press the button there.\n",
        }
    }
}

pub(super) fn judge(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).ok_or(Refusal::Host)?;
    if !is_ours(host) {
        return Err(Refusal::Host);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let same = origin.and_then(|origin| origin.strip_prefix("http://")).is_some_and(|from| {
        // Browsers leave out port 80 in both or in neither.
        from.eq_ignore_ascii_case(host)
    });
    if same { Ok(()) } else { Err(Refusal::Origin) }
}

/// An IP address, `localhost`, or a name that only the local network gives (RFC 6762), each with or without port.
/// Any other name may be one that an attacker pointed at this address.
fn is_ours(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            return rest.split_once(']').is_some_and(|(ip, port)| ip.parse::<IpAddr>().is_ok() && is_port(port));
        }
        None => match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.to_ascii_lowercase();
    let local = name.strip_suffix(".local").is_some_and(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    });
    name.parse::<IpAddr>().is_ok() || name == "localhost" || local
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.chars().all(|c| c.is_ascii_digit()))
}

pub(super) async fn guard(request: Request, next: Next) -> Response {
    match judge(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (StatusCode::FORBIDDEN, refusal.words()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, host: Option<&str>, origin: Option<&str>) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        judge(method, &headers)
    }

    #[test]
    fn only_names_of_this_device_are_answered() {
        for host in
            ["127.0.0.1:7480", "127.0.0.1", "localhost:7480", "LOCALHOST", "[::1]:7480", "[fe80::1]", "panel.local"]
        {
            assert_eq!(asked(&Method::GET, Some(host), None), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "evil.example:7480",
            "localhost.evil.example",
            ".local",
            "x@y.local",
            "[::1",
            "[evil]",
            "[::1]evil",
            "a:b:c",
            "",
        ] {
            assert_eq!(asked(&Method::GET, Some(host), None), Err(Refusal::Host), "{host}");
        }
        assert_eq!(asked(&Method::GET, None, None), Err(Refusal::Host));
    }

    #[test]
    fn only_this_page_s_own_forms_are_taken() {
        let host = Some("127.0.0.1:7480");
        assert_eq!(asked(&Method::POST, host, Some("http://127.0.0.1:7480")), Ok(()));
        for origin in [
            None,
            Some("null"),
            Some("http://evil.example"),
            Some("https://127.0.0.1:7480"),
            Some("http://127.0.0.1:7481"),
            Some("http://127.0.0.1"),
        ] {
            assert_eq!(asked(&Method::POST, host, origin), Err(Refusal::Origin), "{origin:?}");
        }
        assert_eq!(asked(&Method::POST, Some("evil.example"), Some("http://evil.example")), Err(Refusal::Host));
    }
}
