//! The hash chain of the audit trail, pure: what is hashed of a row, and how one row holds the one before. Knows no
//! database and no clock.
//!
//! A row's hash is over ids and facts. Names and details, which are people's words and data, go in as one salted hash
//! of their own: they can be erased with their salt, and the chain stays whole.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// What comes before the first row of a chain.
pub(super) const START: Hash = [0; 32];

/// The facts of one row.
pub(super) struct Facts<'a> {
    pub(super) chain: Uuid,
    /// From 1.
    pub(super) place: i64,
    pub(super) id: Uuid,
    pub(super) at: i64,
    pub(super) actor_kind: &'a str,
    pub(super) actor: Option<Uuid>,
    pub(super) what: &'a str,
    pub(super) device: Option<Uuid>,
    pub(super) session: Option<Uuid>,
    /// Of [`words`].
    pub(super) words: &'a [u8],
}

/// The hash of a row that follows a row with the hash `before`.
pub(super) fn link(before: &[u8], facts: &Facts<'_>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"gatelodge audit row 1");
    sized(&mut hash, before);
    hash.update(facts.chain);
    hash.update(facts.place.to_be_bytes());
    hash.update(facts.id);
    hash.update(facts.at.to_be_bytes());
    sized(&mut hash, facts.actor_kind.as_bytes());
    optional(&mut hash, facts.actor);
    sized(&mut hash, facts.what.as_bytes());
    optional(&mut hash, facts.device);
    optional(&mut hash, facts.session);
    sized(&mut hash, facts.words);
    hash.finalize().into()
}

/// The hash of what a row says in people's words. The salt keeps a name from being guessed from it once it is erased.
pub(super) fn words(salt: &[u8], actor_name: &str, details: &Value) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"gatelodge audit words 1");
    sized(&mut hash, salt);
    sized(&mut hash, actor_name.as_bytes());
    value(&mut hash, details);
    hash.finalize().into()
}

/// Lengths go in before texts, so that two rows never run together to the same bytes.
fn sized(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(bytes);
}

fn optional(hash: &mut Sha256, id: Option<Uuid>) {
    sized(hash, id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
}

/// A JSON value by its meaning: a database may write keys and blanks in its own way.
fn value(hash: &mut Sha256, details: &Value) {
    match details {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hash.update(b"s");
            sized(hash, details.to_string().as_bytes());
        }
        Value::String(text) => {
            hash.update(b"t");
            sized(hash, text.as_bytes());
        }
        Value::Array(values) => {
            hash.update(b"a");
            hash.update(u64::try_from(values.len()).unwrap_or(u64::MAX).to_be_bytes());
            for each in values {
                value(hash, each);
            }
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            hash.update(b"o");
            hash.update(u64::try_from(fields.len()).unwrap_or(u64::MAX).to_be_bytes());
            for (name, each) in fields {
                sized(hash, name.as_bytes());
                value(hash, each);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(words: &[u8]) -> Facts<'_> {
        Facts {
            chain: Uuid::from_u128(1),
            place: 1,
            id: Uuid::from_u128(2),
            at: 3,
            actor_kind: "user",
            actor: None,
            what: "device_registered",
            device: Some(Uuid::from_u128(4)),
            session: None,
            words,
        }
    }

    #[test]
    fn every_fact_and_the_row_before_change_the_hash() {
        let one = link(&START, &facts(b"w"));
        let other = Uuid::from_u128(9);
        let changed = [
            link(&[1; 32], &facts(b"w")),
            link(&START, &facts(b"v")),
            link(&START, &Facts { chain: other, ..facts(b"w") }),
            link(&START, &Facts { place: 2, ..facts(b"w") }),
            link(&START, &Facts { id: other, ..facts(b"w") }),
            link(&START, &Facts { at: 4, ..facts(b"w") }),
            link(&START, &Facts { actor_kind: "cloud", ..facts(b"w") }),
            link(&START, &Facts { actor: Some(other), ..facts(b"w") }),
            link(&START, &Facts { what: "device_released", ..facts(b"w") }),
            link(&START, &Facts { device: None, ..facts(b"w") }),
            link(&START, &Facts { session: facts(b"w").device, device: None, ..facts(b"w") }),
        ];
        for (place, hash) in changed.iter().enumerate() {
            assert_ne!(*hash, one, "change {place}");
            assert!(!changed[..place].contains(hash), "change {place}");
        }
    }

    #[test]
    fn words_count_by_their_meaning() {
        let told: Value = serde_json::from_str(r#"{ "b": [1, null], "a": "x" }"#).unwrap();
        assert_eq!(words(b"s", "Rosa", &told), words(b"s", "Rosa", &json!({"a": "x", "b": [1, null]})));
        let others = [
            words(b"t", "Rosa", &told),
            words(b"s", "Ros", &told),
            words(b"s", "Rosa", &json!({"a": "x", "b": [1]})),
            words(b"s", "Rosa", &json!({"a": "x", "b": "1"})),
            words(b"s", "Rosa", &json!({"ab": "x"})),
        ];
        for other in others {
            assert_ne!(other, words(b"s", "Rosa", &told));
        }
    }
}
