//! A mail as a person reads it: headers unfolded and decoded (RFC 5322, RFC 2047), parts by type (RFC 2045, 2046).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// One caught mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The same when a mail is handed over a second time.
    pub message_id: String,
    /// The subject, decoded.
    pub subject: String,
    /// The plain text part, decoded.
    pub text: String,
    /// The HTML part, decoded; empty when there is none.
    pub html: String,
}

/// One body with its headers, by lower-case name.
struct Entity<'a> {
    headers: BTreeMap<String, String>,
    body: &'a str,
}

impl Mail {
    /// Reads a message as it came over the wire.
    pub(super) fn parse(from: String, to: Vec<String>, message: &str) -> Self {
        let whole = Entity::parse(message);
        let header = |name| whole.headers.get(name).map_or("", String::as_str);
        let (message_id, subject) = (header("message-id").to_owned(), decode_words(header("subject")));
        let mut mail = Self { from, to, message_id, subject, text: String::new(), html: String::new() };
        mail.collect(&whole);
        mail
    }

    /// Every web address in the plain text, in order.
    pub fn links(&self) -> Vec<&str> {
        self.text
            .split(|c: char| c.is_whitespace() || "<>\"".contains(c))
            .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
            .collect()
    }

    /// The first web address in the plain text that contains `part`.
    pub fn link(&self, part: &str) -> anyhow::Result<&str> {
        let found = self.links().into_iter().find(|link| link.contains(part));
        found.ok_or_else(|| anyhow::anyhow!("no link with `{part}` in the mail `{}`:\n{}", self.subject, self.text))
    }

    fn collect(&mut self, entity: &Entity<'_>) {
        let kind = entity.headers.get("content-type").map_or("text/plain", String::as_str);
        if let Some(boundary) = boundary(kind) {
            let fence = format!("--{boundary}");
            // Before the first fence stands a preamble, after the closing one (`--fence--`) an epilogue.
            for part in entity.body.split(fence.as_str()).skip(1).take_while(|part| !part.starts_with("--")) {
                self.collect(&Entity::parse(part.trim_start_matches(['\r', '\n'])));
            }
        } else if kind.starts_with("text/html") {
            self.html.push_str(&entity.decoded());
        } else if kind.starts_with("text/plain") {
            self.text.push_str(&entity.decoded());
        }
    }
}

impl<'a> Entity<'a> {
    fn parse(message: &'a str) -> Self {
        let (head, body) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let headers = unfolded
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { headers, body }
    }

    fn decoded(&self) -> String {
        match self.headers.get("content-transfer-encoding").map(|name| name.to_ascii_lowercase()).as_deref() {
            Some("base64") => from_base64(self.body),
            Some("quoted-printable") => from_quoted(self.body, false),
            _ => self.body.to_owned(),
        }
    }
}

fn boundary(kind: &str) -> Option<&str> {
    let (_, rest) = kind.strip_prefix("multipart/")?.split_once("boundary=")?;
    Some(rest.trim_start_matches('"').split(['"', ';']).next().unwrap_or_default())
}

fn from_base64(text: &str) -> String {
    let packed: String = text.split_whitespace().collect();
    String::from_utf8_lossy(&STANDARD.decode(packed).unwrap_or_default()).into_owned()
}

/// Quoted-printable (RFC 2045 section 6.7); in a header, `_` is a blank (RFC 2047 section 4.2).
fn from_quoted(text: &str, in_header: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'=', [b'\r', b'\n', ..]) => rest = &after[2..],
            (b'=', [high, low, ..]) => {
                let digits = [*high, *low];
                let code = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(code.unwrap_or(b'='));
                rest = if code.is_some() { &after[2..] } else { after };
            }
            (b'_', _) if in_header => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encoded words in a header: `=?utf-8?b?..?=` and `=?utf-8?q?..?=`.
fn decode_words(header: &str) -> String {
    let mut out = String::new();
    let mut after_word = false;
    for piece in header.split(' ') {
        let fields: Vec<&str> = piece.trim_start_matches("=?").trim_end_matches("?=").splitn(3, '?').collect();
        let decoded = match fields[..] {
            [_, "b" | "B", text] if piece.starts_with("=?") => Some(from_base64(text)),
            [_, "q" | "Q", text] if piece.starts_with("=?") => Some(from_quoted(text, true)),
            _ => None,
        };
        // Blanks between two encoded words are not part of the text (RFC 2047 section 6.2).
        let adjacent = after_word && decoded.is_some();
        if !out.is_empty() && !adjacent {
            out.push(' ');
        }
        after_word = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(piece));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_decoded() {
        let message = "Subject: Confirm your alarm\r\n server\r\nContent-Type: multipart/alternative;\r\n boundary=\"ab\"\r\n\r\n\
            --ab\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Caf=C3=A9 https://x.test/activate=\r\n#t=3Dabc\r\n--ab\r\nContent-Type: text/html; charset=utf-8\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+b25l\r\nPC9iPg==\r\n--ab--\r\n";
        let mail = Mail::parse(String::new(), Vec::new(), message);
        assert_eq!(mail.subject, "Confirm your alarm server");
        assert_eq!(mail.text, "Café https://x.test/activate#t=abc\r\n");
        assert_eq!(mail.html, "<b>one</b>");
        assert_eq!(mail.link("activate").unwrap(), "https://x.test/activate#t=abc");
    }

    #[test]
    fn subjects_of_several_encoded_words_are_joined() {
        assert_eq!(decode_words("=?utf-8?q?Caf=C3=A9_du?= =?utf-8?b?IG1hdGlu?= now"), "Café du matin now");
    }
}
