//! What a proxy asks (RFC 9110 section 11.6.1) and what is answered: Digest (RFC 7616) with SHA-256 or MD5 before Basic
//! (RFC 7617). Pure; never panics on any input.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::Random;

/// One way to say who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The challenges in the values of `Proxy-Authenticate`, in their order.
pub(super) fn read(values: &[String]) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for part in values.iter().flat_map(|value| parts(value)) {
        let name_ends = part.find('=').unwrap_or(part.len());
        // A scheme is set off from its first parameter by a space, a parameter's name from nothing.
        let parameter = match part[..name_ends].trim_end().split_once(' ') {
            Some((scheme, _)) => {
                challenges.push(Challenge { scheme: scheme.to_owned(), parameters: Vec::new() });
                part[scheme.len()..].trim_start()
            }
            None if name_ends == part.len() => {
                challenges.push(Challenge { scheme: part.to_owned(), parameters: Vec::new() });
                continue;
            }
            None => part,
        };
        if let (Some(challenge), Some((name, value))) = (challenges.last_mut(), parameter.split_once('=')) {
            challenge.parameters.push((name.trim().to_ascii_lowercase(), unquoted(value.trim())));
        }
    }
    challenges
}

/// Cuts at commas that are in no quoted text.
fn parts(value: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&value[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[from..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(c);
        }
    }
    text
}

/// A challenge that can be answered.
#[derive(Debug)]
pub(super) enum Answerable<'a> {
    Basic,
    Digest(Digest<'a>),
}

#[derive(Debug)]
pub(super) struct Digest<'a> {
    realm: &'a str,
    nonce: &'a str,
    opaque: Option<&'a str>,
    algorithm: Option<&'a str>,
    hash: Hash,
    /// Whether the session's own number is hashed in.
    session: bool,
    /// Whether `qop=auth` is offered; without it the form of RFC 2069 is meant.
    protected: bool,
    stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn of(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl<'a> Answerable<'a> {
    /// The strongest of what is offered.
    pub(super) fn best(offered: &'a [Challenge]) -> Option<Self> {
        let digest = offered.iter().filter_map(digest).max_by_key(|digest| digest.hash).map(Self::Digest);
        let basic = || offered.iter().any(|challenge| challenge.scheme.eq_ignore_ascii_case("basic"));
        digest.or_else(|| basic().then_some(Self::Basic))
    }

    /// Whether the answer before was good but late.
    pub(super) const fn is_stale(&self) -> bool {
        match self {
            Self::Basic => false,
            Self::Digest(digest) => digest.stale,
        }
    }

    /// The value of `Proxy-Authorization` for a CONNECT to this target.
    pub(super) fn answer(&self, name: &str, password: &str, target: &str, random: &Random) -> String {
        match self {
            Self::Basic => format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))),
            Self::Digest(digest) => digest.answer(name, password, target, &hex(&random.bytes::<16>())),
        }
    }
}

fn digest(challenge: &Challenge) -> Option<Digest<'_>> {
    if !challenge.scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let algorithm = challenge.get("algorithm");
    let (hash, session) = match algorithm.map(str::to_ascii_lowercase).as_deref() {
        None | Some("md5") => (Hash::Md5, false),
        Some("md5-sess") => (Hash::Md5, true),
        Some("sha-256") => (Hash::Sha256, false),
        Some("sha-256-sess") => (Hash::Sha256, true),
        Some(_) => return None,
    };
    let qop = challenge.get("qop");
    let protected = qop.is_some_and(|offered| offered.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")));
    if qop.is_some() && !protected {
        return None;
    }
    let stale = challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
    let (realm, nonce, opaque) = (challenge.get("realm")?, challenge.get("nonce")?, challenge.get("opaque"));
    Some(Digest { realm, nonce, opaque, algorithm, hash, session, protected, stale })
}

impl Digest<'_> {
    fn answer(&self, name: &str, password: &str, target: &str, own_nonce: &str) -> String {
        let Self { realm, nonce, hash, .. } = self;
        let mut who = hash.of(&format!("{name}:{realm}:{password}"));
        if self.session {
            who = hash.of(&format!("{who}:{nonce}:{own_nonce}"));
        }
        let what = hash.of(&format!("CONNECT:{target}"));
        let response = if self.protected {
            hash.of(&format!("{who}:{nonce}:00000001:{own_nonce}:auth:{what}"))
        } else {
            hash.of(&format!("{who}:{nonce}:{what}"))
        };
        let mut answer = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(name),
            quoted(realm),
            quoted(nonce),
            quoted(target)
        );
        if let Some(algorithm) = self.algorithm {
            let _ = write!(answer, ", algorithm={algorithm}");
        }
        if self.protected {
            let _ = write!(answer, ", qop=auth, nc=00000001, cnonce=\"{own_nonce}\"");
        } else if self.session {
            let _ = write!(answer, ", cnonce=\"{own_nonce}\"");
        }
        if let Some(opaque) = self.opaque {
            let _ = write!(answer, ", opaque={}", quoted(opaque));
        }
        answer
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenges(values: &[&str]) -> Vec<Challenge> {
        read(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn several_challenges_in_a_line_and_in_lines_are_told_apart() {
        let read = challenges(&[
            r#"Negotiate, Digest realm="a, \"b\"", nonce="n=1,2", qop="auth,auth-int", algorithm=SHA-256"#,
            r#"Basic realm="x", charset="UTF-8""#,
            "NTLM TlRMTVNTUAAC==",
        ]);
        let schemes: Vec<_> = read.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "Digest", "Basic", "NTLM"]);
        assert_eq!(read[1].get("realm"), Some(r#"a, "b""#));
        assert_eq!((read[1].get("nonce"), read[1].get("qop")), (Some("n=1,2"), Some("auth,auth-int")));
    }

    #[test]
    fn the_strongest_is_answered() {
        let offer = |values: &[&str]| match Answerable::best(&challenges(values)) {
            None => "none".to_owned(),
            Some(Answerable::Basic) => "basic".to_owned(),
            Some(Answerable::Digest(digest)) => format!("{:?}", digest.hash),
        };
        let (basic, md5, sha) = (
            r#"Basic realm="x""#,
            r#"Digest realm="x", nonce="n""#,
            r#"Digest realm="x", nonce="n", algorithm=SHA-256, qop="auth""#,
        );
        assert_eq!(offer(&[basic, md5, sha]), "Sha256");
        assert_eq!(offer(&[basic, md5]), "Md5");
        assert_eq!(offer(&["NTLM", basic]), "basic");
        let beyond = r#"Digest realm="x", nonce="n", algorithm=SHA-512-256"#;
        assert_eq!(offer(&["NTLM", beyond, r#"Digest realm="x", nonce="n", qop="auth-int""#]), "none");
    }

    /// The examples of RFC 7616 section 3.9.1, with CONNECT in the place of GET, checked by another implementation.
    #[test]
    fn digests_are_those_of_the_rfc() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [("MD5", MD5_RESPONSE), ("SHA-256", SHA256_RESPONSE)] {
            let value = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let offered = challenges(&[&value]);
            let Some(Answerable::Digest(digest)) = Answerable::best(&offered) else { panic!("Digest") };
            let answer = digest.answer("Mufasa", "Circle of Life", "www.example.org:443", own);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.ends_with("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{answer}");
        }
    }

    const MD5_RESPONSE: &str = "9813a1d1a1c5b560d5d567d6217afda7";
    const SHA256_RESPONSE: &str = "6aa3bee06522ed8a9b69cf875dd5f489d88eab8cd23fd317066e7ee334e1e0f7";

    proptest! {
        #[test]
        fn no_text_panics(values in proptest::collection::vec("[ -~é]{0,80}", 0..4), name in "\\PC{0,20}") {
            let offered = read(&values);
            if let Some(best) = Answerable::best(&offered) {
                best.answer(&name, &name, "a:1", &Random::seeded(1));
            }
        }
    }
}
