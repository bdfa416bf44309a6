//! A panel's own origin in what it says, made ours: `http://192.168.1.50/` in a page becomes the address under which the
//! browser has that page. Pure, byte by byte, whatever the pieces it comes in.

use bytes::{Bytes, BytesMut};

use super::{Face, Panel};

/// One spelling of the panel's origin and what takes its place.
#[derive(Debug, Clone)]
struct Spelling {
    /// Lower case.
    from: Vec<u8>,
    to: Vec<u8>,
    /// `//host`, which means something else behind the colon of a scheme.
    without_scheme: bool,
}

/// All spellings, the longest first.
#[derive(Debug, Clone)]
pub struct Origins(Vec<Spelling>);

/// As in pages, and as in JSON and script that escape their slashes.
const SLASHES: [&str; 2] = ["//", "\\/\\/"];

impl Origins {
    /// Of this panel, seen under this face.
    pub fn of(panel: &Panel, face: &Face) -> Self {
        let (theirs, ours) = (panel.scheme, face.scheme);
        let schemes = [
            (format!("{}:", theirs.word()), format!("{}:", ours.word())),
            (format!("{}:", theirs.socket_word()), format!("{}:", ours.socket_word())),
            (String::new(), String::new()),
        ];
        let mut spellings = Vec::new();
        for (from, to) in &schemes {
            for slashes in SLASHES {
                for authority in panel.authorities() {
                    spellings.push(Spelling {
                        from: format!("{from}{slashes}{authority}").into_bytes(),
                        to: format!("{to}{slashes}{}", face.authority).into_bytes(),
                        without_scheme: from.is_empty(),
                    });
                }
            }
        }
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.from.len()));
        Self(spellings)
    }

    /// A short text at once, like a header.
    pub fn replace(&self, text: &[u8]) -> Bytes {
        let mut rewriter = Rewriter::new(self.clone());
        let mut out = BytesMut::from(&*rewriter.feed(text));
        out.extend_from_slice(&rewriter.finish());
        out.freeze()
    }
}

/// A body on its way.
#[derive(Debug)]
pub struct Rewriter {
    origins: Origins,
    /// What may be the beginning of a spelling.
    held: BytesMut,
    /// The byte before `held`.
    before: u8,
}

/// What stands at a place.
enum Found {
    Nothing,
    /// This spelling.
    Spelling(usize),
    /// More bytes are needed to tell.
    Open,
}

impl Rewriter {
    /// For one body.
    pub fn new(origins: Origins) -> Self {
        Self { origins, held: BytesMut::new(), before: b' ' }
    }

    /// What can be passed on after these bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Bytes {
        self.held.extend_from_slice(bytes);
        self.pass_on(false)
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Bytes {
        self.pass_on(true)
    }

    fn pass_on(&mut self, end: bool) -> Bytes {
        let input = self.held.split();
        let (mut out, mut copied, mut at) = (BytesMut::with_capacity(input.len() + 64), 0, 0);
        while at < input.len() {
            let before = if at == 0 { self.before } else { input[at - 1] };
            match self.look(&input[at..], before, end) {
                Found::Nothing => at += 1,
                Found::Spelling(which) => {
                    let spelling = &self.origins.0[which];
                    out.extend_from_slice(&input[copied..at]);
                    out.extend_from_slice(&spelling.to);
                    at += spelling.from.len();
                    copied = at;
                }
                Found::Open => break,
            }
        }
        out.extend_from_slice(&input[copied..at]);
        if at > 0 {
            self.before = input[at - 1];
        }
        self.held.extend_from_slice(&input[at..]);
        out.freeze()
    }

    fn look(&self, rest: &[u8], before: u8, end: bool) -> Found {
        if !matches!(rest[0], b'h' | b'H' | b'w' | b'W' | b'/' | b'\\') {
            return Found::Nothing;
        }
        for (which, Spelling { from, without_scheme, .. }) in self.origins.0.iter().enumerate() {
            let shared = from.len().min(rest.len());
            if !rest[..shared].eq_ignore_ascii_case(&from[..shared]) || (*without_scheme && before == b':') {
                continue;
            }
            if shared < from.len() {
                if end {
                    continue;
                }
                return Found::Open;
            }
            match rest.get(from.len()) {
                None if end => return Found::Spelling(which),
                None => return Found::Open,
                // A longer name, another port, or a user at another host.
                Some(b'.' | b'-' | b':' | b'@' | b'_') => {}
                Some(next) if next.is_ascii_alphanumeric() => {}
                Some(_) => return Found::Spelling(which),
            }
        }
        Found::Nothing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Scheme, *};
    use crate::payload::{Profile, Protocol, Service};

    fn panel(host: &str, port: u16) -> Panel {
        Panel {
            scheme: if port == 443 { Scheme::Https } else { Scheme::Http },
            host: host.into(),
            found_at: None,
            port,
        }
    }

    fn origins(host: &str, port: u16) -> Origins {
        let face = Face { scheme: Scheme::Https, authority: "s-abc.web.example:8443".into(), port_of_its_own: None };
        Origins::of(&panel(host, port), &face)
    }

    fn replaced(host: &str, port: u16, text: &str) -> String {
        String::from_utf8(origins(host, port).replace(text.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn every_spelling_of_the_panels_origin_becomes_ours() {
        for (from, to) in [
            ("<a href=\"http://192.168.1.50/x\">", "<a href=\"https://s-abc.web.example:8443/x\">"),
            ("<a href='HTTP://192.168.1.50:80'>", "<a href='https://s-abc.web.example:8443'>"),
            ("url(//192.168.1.50/bg.png)", "url(//s-abc.web.example:8443/bg.png)"),
            ("new WebSocket(\"ws://192.168.1.50/live\")", "new WebSocket(\"wss://s-abc.web.example:8443/live\")"),
            (r#"{"next":"http:\/\/192.168.1.50\/a"}"#, r#"{"next":"https:\/\/s-abc.web.example:8443\/a"}"#),
            ("0; url=http://192.168.1.50", "0; url=https://s-abc.web.example:8443"),
        ] {
            assert_eq!(replaced("192.168.1.50", 80, from), to);
        }
        assert_eq!(replaced("panel.local", 8080, "http://panel.local:8080/"), "https://s-abc.web.example:8443/");
        assert_eq!(replaced("fd00::50", 80, "http://[fd00::50]/"), "https://s-abc.web.example:8443/");
        assert_eq!(
            replaced("nas", 443, "https://nas/ wss://nas:443/"),
            "https://s-abc.web.example:8443/ wss://s-abc.web.example:8443/"
        );
    }

    #[test]
    fn links_by_either_name_of_a_panel_lead_to_us() {
        let service = Service {
            name: "panel".parse().unwrap(),
            protocol: Protocol::Tcp,
            host: "192.168.1.50".into(),
            port: 8081,
        };
        let said = Profile {
            service: service.name.clone(),
            title: None,
            kind: None,
            scheme: Some(Scheme::Https),
            web_host: Some("Panel.local".parse().unwrap()),
        };
        let panel = Panel::of(&service, Some(&said));
        assert_eq!(panel.origin(), "https://panel.local:8081");
        let face = Face { scheme: Scheme::Https, authority: "s-abc.web.example".into(), port_of_its_own: None };
        for own in ["https://panel.local:8081/a", "https://192.168.1.50:8081/a"] {
            let replaced = Origins::of(&panel, &face).replace(own.as_bytes()).to_vec();
            assert_eq!(String::from_utf8(replaced).unwrap(), "https://s-abc.web.example/a");
        }
        assert_eq!(Panel::of(&service, None).origin(), "http://192.168.1.50:8081");
    }

    #[test]
    fn another_place_stays_what_it_is() {
        for other in [
            "http://192.168.1.500/",
            "http://192.168.1.50:8080/",
            "http://192.168.1.50.example/",
            "http://192.168.1.50@evil.example/",
            "http://192.168.1.5/",
            "https://192.168.1.50/",
            "ftp://192.168.1.50/",
            "192.168.1.50",
        ] {
            assert_eq!(replaced("192.168.1.50", 80, other), other);
        }
        assert_eq!(replaced("panel", 8080, "http://panel/ http://panel:80801/"), "http://panel/ http://panel:80801/");
    }

    #[test]
    fn what_can_be_no_origin_any_more_is_passed_on_at_once() {
        let mut rewriter = Rewriter::new(origins("192.168.1.50", 80));
        assert_eq!(&*rewriter.feed(b"progress 10% at http://192.168.2."), b"progress 10% at http://192.168.2.");
        assert_eq!(&*rewriter.feed(b" done http://192.168.1.50"), b" done ");
        assert_eq!(&*rewriter.feed(b"/ "), b"https://s-abc.web.example:8443/ ");
        assert_eq!(&*rewriter.finish(), b"");
    }

    proptest! {
        /// However a body is cut, it comes out the same.
        #[test]
        fn pieces_make_no_difference(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("http://192.168.1.50"), Just("http://192.168.1.50:80"), Just(":80"), Just("//192.168.1.50"),
                    Just("ws://192.168.1.50/"), Just("http:"), Just("h"), Just("/"), Just(" "), Just("0"), Just("\\/\\/"),
                ],
                0..12,
            ),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let text = parts.concat();
            let whole = origins("192.168.1.50", 80).replace(text.as_bytes());
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut rewriter = Rewriter::new(origins("192.168.1.50", 80));
            let mut out = BytesMut::new();
            for pair in cuts.windows(2) {
                out.extend_from_slice(&rewriter.feed(&text.as_bytes()[pair[0]..pair[1]]));
            }
            out.extend_from_slice(&rewriter.finish());
            prop_assert_eq!(out.freeze(), whole);
        }
    }
}
