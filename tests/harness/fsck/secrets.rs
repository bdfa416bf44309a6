//! I20: no secret in plain form. Whatever in a text or a log has the shape of one of our secrets is hashed and looked
//! up: it is a leak when the hash is in the database. Private keys in PEM are leaks by themselves.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::TryStreamExt as _;
use gatelodge_cloud::{
    db::{Db, DbError, Tx},
    run,
};
use sha2::{Digest as _, Sha256};

use super::{
    Finding, Progress,
    rows::{Rows, in_words_of, named},
};

/// Where people, devices or features write texts: table, key and text. A join ticket has to stand in the order that
/// brings it to the device (`command`), and links in the mails of the built-in mailbox.
const TEXTS: [(&str, &str, &str); 19] = [
    ("audit_row", "{id id}", "CAST(details AS TEXT)"),
    ("audit_row", "{id id}", "actor_name"),
    ("job", "{id id}", "CAST(payload AS TEXT)"),
    ("job", "{id id}", "last_error"),
    ("command", "{id id}", "outcome"),
    ("parked_message", "{id id}", "reason"),
    ("parked_message", "{id id}", "topic"),
    ("enrolment", "{id id}", "csr"),
    ("enrolment", "{id id}", "reason"),
    ("enrolment", "{id id}", "model"),
    ("certificate", "serial", "chain"),
    ("device", "{id id}", "CAST(report AS TEXT)"),
    ("registration", "{id id}", "CAST(customer_data AS TEXT)"),
    ("remote_session", "{id id}", "csr"),
    ("remote_session", "{id id}", "reason"),
    ("session_flow", "{id id}", "target"),
    ("portal_session", "{key hash}", "user_agent"),
    ("user_account", "{id id}", "name"),
    ("attempt", "scope", "subject"),
];

/// Secrets of 256 bits, 43 characters of base64url in text.
const LONG: [(&str, &str); 5] = [
    ("one_time_token", "SELECT 1 FROM one_time_token WHERE hash = $1"),
    ("portal_session", "SELECT 1 FROM portal_session WHERE hash = $1"),
    ("api_token", "SELECT 1 FROM api_token WHERE hash = $1"),
    ("known_browser", "SELECT 1 FROM known_browser WHERE hash = $1"),
    ("device_sign_in", "SELECT 1 FROM device_sign_in WHERE device_code_hash = $1"),
];
/// Secrets of 128 bits, 32 digits of hex in text.
const SHORT: [(&str, &str); 1] = [("join_ticket", "SELECT 1 FROM join_ticket WHERE hash = $1")];

const LEAKED: &str =
    "void what it opens (sign out, send the link again, end the session), remove the text, and find out what wrote it";

/// What a text may have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Suspect {
    /// A private key, no need to look it up.
    Key,
    /// Something with the shape of a secret: where it would be known, and its hash.
    Shape(&'static [(&'static str, &'static str)], Vec<u8>),
}

fn suspects(text: &str) -> Vec<Suspect> {
    let mut found = Vec::new();
    if text.contains("PRIVATE KEY-----") {
        found.push(Suspect::Key);
    }
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
        let word = word.strip_prefix("gl_").unwrap_or(word);
        match word.len() {
            43 => {
                if let Ok(bytes) = URL_SAFE_NO_PAD.decode(word) {
                    found.push(Suspect::Shape(&LONG, Sha256::digest(bytes).to_vec()));
                }
            }
            32 => {
                // A ticket is hex without dashes; so are ids in some places, which then are not found.
                if let Ok(bytes) = u128::from_str_radix(word, 16) {
                    found.push(Suspect::Shape(&SHORT, Sha256::digest(bytes.to_be_bytes()).to_vec()));
                }
            }
            _ => {}
        }
    }
    found
}

/// Whose secret it is, if it is one.
async fn known(tx: &mut Tx, suspect: Suspect) -> Result<Option<&'static str>, DbError> {
    let (places, hash) = match suspect {
        Suspect::Key => return Ok(Some("a private key")),
        Suspect::Shape(places, hash) => (places, hash),
    };
    for (place, statement) in places {
        let found = run!(tx, c => sqlx::query_scalar::<_, i32>(*statement).bind(&hash).fetch_optional(c))?;
        if found.is_some() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Leaks of one place, by whose secret it is.
#[derive(Default)]
struct Leaks(Vec<(&'static str, Rows)>);

impl Leaks {
    fn add(&mut self, of: &'static str, row: impl FnOnce() -> String) {
        if let Some((_, rows)) = self.0.iter_mut().find(|(known, _)| *known == of) {
            return rows.add(row);
        }
        let mut rows = Rows::default();
        rows.add(row);
        self.0.push((of, rows));
    }

    fn told(self, place: &str) -> Vec<Finding> {
        let told = |(of, rows): (&str, Rows)| {
            let meaning = if of == "a private key" {
                "a private key stands here in plain text: whoever reads this can speak in its holder's name".to_owned()
            } else {
                format!("a secret whose hash is in {of} stands here in plain text: whoever reads this can use it")
            };
            rows.told("I20", place, &meaning, LEAKED)
        };
        self.0.into_iter().filter_map(told).collect()
    }
}

/// Looks through the texts of the database.
pub(super) async fn columns(db: &Db, progress: &Progress) -> Result<Vec<Finding>, DbError> {
    let (mut tx, mut other) = (db.snapshot().await?, db.snapshot().await?);
    let mut findings = Vec::new();
    for (table, key, text) in TEXTS {
        progress.send_replace(format!("I20, {table}"));
        let mut leaks = Leaks::default();
        let statement =
            in_words_of(tx.is_postgres(), &format!("SELECT {key}, {text} FROM {table} WHERE length({text}) >= 27"));
        run!(&mut tx, c => async {
            let query = sqlx::query_as::<_, (String, String)>(sqlx::AssertSqlSafe(statement.as_str()));
            let mut rows = query.fetch(c);
            while let Some((row, text)) = rows.try_next().await? {
                for suspect in suspects(&text) {
                    match known(&mut other, suspect).await {
                        Ok(None) => {}
                        Ok(Some(of)) => leaks.add(of, || named(&row)),
                        Err(error) => return Err(sqlx::Error::AnyDriverError(Box::new(error))),
                    }
                }
            }
            Ok(())
        })?;
        findings.extend(leaks.told(table));
    }
    Ok(findings)
}

/// Looks through a log, by lines.
pub(super) async fn log(db: &Db, path: &Path, progress: &Progress) -> anyhow::Result<Vec<Finding>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let (mut tx, mut leaks, mut number) = (db.snapshot().await?, Leaks::default(), 0_u64);
    for line in BufReader::new(file).split(b'\n') {
        number += 1;
        let line = line.with_context(|| format!("{name}, line {number}"))?;
        progress.send_replace(format!("I20, {name}, line {number}"));
        for suspect in suspects(&String::from_utf8_lossy(&line)) {
            if let Some(of) = known(&mut tx, suspect).await.context("hashes cannot be looked up")? {
                leaks.add(of, || format!("line {number}"));
            }
        }
    }
    Ok(leaks.told(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_shape_of_a_secret_is_suspected() {
        let long = URL_SAFE_NO_PAD.encode([7; 32]);
        let shape = Suspect::Shape(&LONG, Sha256::digest([7; 32]).to_vec());
        for text in [format!("https://lodge.example/activate#{long}"), format!("Bearer gl_{long}"), long.clone()] {
            assert_eq!(suspects(&text), std::slice::from_ref(&shape), "{text}");
        }
        let ticket = "000102030405060708090a0b0c0d0e0f";
        let hash = Sha256::digest((0..16).collect::<Vec<u8>>()).to_vec();
        assert_eq!(suspects(&format!("{{\"ticket\":\"{ticket}\"}}")), [Suspect::Shape(&SHORT, hash)]);
        assert_eq!(suspects("-----BEGIN EC PRIVATE KEY-----"), [Suspect::Key]);
        for innocent in ["", "Villa Rosa", &"ab".repeat(32), &long[1..], "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"] {
            assert_eq!(suspects(innocent), [], "{innocent}");
        }
    }
}
