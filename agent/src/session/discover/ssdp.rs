//! What is asked of all by UPnP and what is read of the answers (UPnP Device Architecture 2.0, section 1.3). No address
//! that an answer names is fetched. Pure.

use std::net::IpAddr;

use gatelodge_proto::session::finds::Said;

/// Where all hear it.
pub(super) const GROUP: ([u8; 4], u16) = ([239, 255, 255, 250], 1900);

/// Devices answer within two seconds, each at a moment of its own.
pub(super) const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\n\
    HOST: 239.255.255.250:1900\r\n\
    MAN: \"ssdp:discover\"\r\n\
    MX: 2\r\n\
    ST: upnp:rootdevice\r\n\
    \r\n";

/// Lines of an answer that are looked at.
const MOST_LINES: usize = 40;

/// Something that says what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Its software, which most often names the model.
    pub(super) name: Said,
    /// At which port of its own it describes itself, by HTTP.
    pub(super) port: Option<u16>,
}

/// Reads an answer of `from`; `None` for what is none.
pub(super) fn read(bytes: &[u8], from: IpAddr) -> Option<Told> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).take(MOST_LINES);
    let first = lines.next()?;
    if !first.starts_with(b"HTTP/1.") || first.split(|byte| *byte == b' ').nth(1) != Some(b"200") {
        return None;
    }
    let (mut name, mut port) = (Said::default(), None);
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (field, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if field.eq_ignore_ascii_case(b"server") {
            name = Said::of(value);
        } else if field.eq_ignore_ascii_case(b"location") {
            port = std::str::from_utf8(value).ok().and_then(|value| place(value, from));
        }
    }
    Some(Told { name, port })
}

/// The port of a description, where it is at the one who answered.
fn place(location: &str, from: IpAddr) -> Option<u16> {
    let rest = location.strip_prefix("http://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if let Ok(at) = authority.parse::<std::net::SocketAddr>() {
        return (at.ip() == from && at.port() != 0).then_some(at.port());
    }
    let host = authority.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(authority);
    (host.parse::<IpAddr>() == Ok(from)).then_some(80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_names_its_model_and_a_place_of_its_own_alone() {
        let from: IpAddr = "192.168.1.60".parse().unwrap();
        let answer = |location: &str| {
            let text = format!(
                "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nLocation: {location}\r\n\
                 SERVER: Linux/4.9 UPnP/1.0 <b>NAS</b>-300\r\nST: upnp:rootdevice\r\n\r\n"
            );
            read(text.as_bytes(), from).unwrap()
        };
        assert_eq!(answer("http://192.168.1.60:5000/desc.xml").port, Some(5000));
        assert_eq!(answer("http://192.168.1.60/desc.xml").port, Some(80));
        assert_eq!(answer("http://192.168.1.60/").name.as_str(), "Linux/4.9 UPnP/1.0 ‹b›NAS‹/b›-300");
        for elsewhere in
            ["http://192.168.1.1:5000/", "http://evil.example/", "file:///etc/passwd", "http://192.168.1.60:0/", ""]
        {
            assert_eq!(answer(elsewhere).port, None, "{elsewhere}");
        }
        for none in ["", "NOTIFY * HTTP/1.1\r\n", "HTTP/1.1 404 No\r\n", "M-SEARCH * HTTP/1.1\r\n\r\n"] {
            assert_eq!(read(none.as_bytes(), from), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, [192, 168, 1, 60].into());
        }
    }
}
