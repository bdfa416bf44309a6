//! Cookies on their way: a panel's go through, ours and those of other origins do not.

use http::{HeaderMap, HeaderValue, header};

use super::{Face, Scheme};

/// How the names of our own cookies begin. No page can set one for another host (RFC 6265bis section 4.1.3.2), and no
/// panel sees one.
pub const OURS: &str = "__Host-gl-";

/// The value of a cookie in a request.
pub fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    pairs(headers).find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !pair.is_empty())
}

/// What tells a panel's cookies at one port from those at another port of the same host.
fn mark(port: u16) -> String {
    format!("gl{port}-")
}

/// Leaves the panel's own cookies in a request, in one line: old panels read no second one.
pub(super) fn for_panel(headers: &mut HeaderMap, face: &Face) {
    let mark = face.port_of_its_own.map(mark);
    let kept = pairs(headers).filter(|pair| !pair.starts_with(OURS)).filter_map(|pair| match &mark {
        None => Some(pair),
        Some(mark) => pair.strip_prefix(mark.as_str()),
    });
    let line = kept.collect::<Vec<_>>().join("; ");
    headers.remove(header::COOKIE);
    if !line.is_empty()
        && let Ok(line) = HeaderValue::from_str(&line)
    {
        headers.insert(header::COOKIE, line);
    }
}

/// A panel's `Set-Cookie` for the browser: for this host alone, whatever the panel believes to be its domain.
fn one_for_browser(line: &str, face: &Face) -> Option<String> {
    let mut parts = line.split(';').map(str::trim);
    let pair = parts.next()?;
    let name = pair.split('=').next().unwrap_or_default().trim();
    if name.to_ascii_lowercase().starts_with(&OURS.to_ascii_lowercase()) {
        return None;
    }
    let mut told = face.port_of_its_own.map(mark).unwrap_or_default();
    told.push_str(pair);
    let mut secure = false;
    for part in parts.filter(|part| !part.is_empty()) {
        let key = part.split('=').next().unwrap_or_default().trim();
        if key.eq_ignore_ascii_case("domain") {
            continue;
        }
        secure |= key.eq_ignore_ascii_case("secure");
        told.push_str("; ");
        told.push_str(part);
    }
    if !secure && face.scheme == Scheme::Https {
        told.push_str("; Secure");
    }
    Some(told)
}

/// Changes each `Set-Cookie` of an answer, in their order.
pub(super) fn for_browser(headers: &mut HeaderMap, face: &Face) {
    let lines: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for line in lines {
        // Bytes beyond ASCII are common in what old panels keep.
        let text: String = line.as_bytes().iter().copied().map(char::from).collect();
        let told = one_for_browser(&text, face);
        let bytes = told.map(|told| told.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect::<Vec<u8>>());
        if let Some(Ok(line)) = bytes.map(|bytes| HeaderValue::from_bytes(&bytes)) {
            headers.append(header::SET_COOKIE, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(scheme: Scheme, port: Option<u16>) -> Face {
        Face { scheme, authority: "s-abc.web.example".into(), port_of_its_own: port }
    }

    fn sent(lines: &[&str], face: &Face) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        for_panel(&mut headers, face);
        assert!(headers.get_all(header::COOKIE).iter().count() <= 1);
        headers.get(header::COOKIE).map(|line| line.to_str().unwrap().to_owned())
    }

    fn set(line: &str, face: &Face) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        for_browser(&mut headers, face);
        headers.get(header::SET_COOKIE).map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
    }

    #[test]
    fn a_panel_is_sent_its_own_cookies_in_one_line_and_never_ours() {
        let own = face(Scheme::Https, None);
        assert_eq!(
            sent(&["sid=1; __Host-gl-pass=secret", "lang=it", "__Host-gl-session=portal"], &own).as_deref(),
            Some("sid=1; lang=it")
        );
        assert_eq!(sent(&["__Host-gl-pass=secret"], &own), None);
    }

    #[test]
    fn a_panels_cookie_is_for_this_host_alone() {
        let own = face(Scheme::Https, None);
        assert_eq!(
            set("sid=1; Domain=192.168.1.50; Path=/cgi; HttpOnly", &own).as_deref(),
            Some("sid=1; Path=/cgi; HttpOnly; Secure")
        );
        assert_eq!(set("sid=1; secure; SameSite=None", &own).as_deref(), Some("sid=1; secure; SameSite=None"));
        assert_eq!(set("sid=1", &face(Scheme::Http, None)).as_deref(), Some("sid=1"));
        assert_eq!(set("ort=Küche", &face(Scheme::Http, None)).as_deref(), Some("ort=Küche"));
        for taken in ["__Host-gl-pass=mine", "__HOST-GL-session=mine; Path=/"] {
            assert_eq!(set(taken, &own), None, "{taken}");
        }
    }

    #[test]
    fn ports_of_one_host_have_cookies_of_their_own() {
        let nine = face(Scheme::Https, Some(9001));
        let kept = set("sid=1; Path=/", &nine).unwrap();
        assert_eq!(kept, "gl9001-sid=1; Path=/; Secure");
        assert_eq!(
            sent(&["gl9001-sid=1; gl9002-sid=2; other=3; __Host-gl-pass-9001=x"], &nine).as_deref(),
            Some("sid=1")
        );
    }
}
