//! What is wrong with a form, field by field.

use std::str::FromStr;

use crate::i18n::{Explain, Phrase};

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field's name in the form.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub why: Phrase,
}

/// All wrong fields of a form, in the order they were found. Pages show them on top, each linking to its field,
/// and again beside the field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// Nothing wrong so far.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One wrong field.
    pub fn one(field: &'static str, why: Phrase) -> Self {
        Self(vec![Refusal { field, why }])
    }

    /// Adds a wrong field. An empty field name stands for the form as a whole.
    pub fn add(&mut self, field: &'static str, why: Phrase) {
        self.0.push(Refusal { field, why });
    }

    /// Reads a field that must be there; notes what is wrong with it otherwise.
    pub fn parse<T>(&mut self, field: &'static str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Explain,
    {
        if text.trim().is_empty() {
            self.add(field, Phrase::new("refused-empty"));
            return None;
        }
        text.parse().map_err(|error: T::Err| self.add(field, error.explain())).ok()
    }

    /// Reads a field that may be left empty.
    pub fn parse_optional<T>(&mut self, field: &'static str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Explain,
    {
        if text.trim().is_empty() { None } else { self.parse(field, text) }
    }

    /// Reads words that must be there, trimmed, `most` characters at most.
    pub fn words(&mut self, field: &'static str, text: &str, most: usize) -> Option<String> {
        let text = text.trim();
        if text.is_empty() {
            self.add(field, Phrase::new("refused-empty"));
            return None;
        }
        if text.chars().count() > most {
            self.add(field, Phrase::new("refused-too-long").with("most", most));
            return None;
        }
        Some(text.to_owned())
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All wrong fields.
    pub fn iter(&self) -> std::slice::Iter<'_, Refusal> {
        self.0.iter()
    }

    /// What is wrong with `field`.
    pub fn of(&self, field: &str) -> Option<&Phrase> {
        self.0.iter().find(|refusal| refusal.field == field).map(|refusal| &refusal.why)
    }
}

impl<'a> IntoIterator for &'a Refusals {
    type Item = &'a Refusal;
    type IntoIter = std::slice::Iter<'a, Refusal>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::identity::{EmailAddress, IdCode};

    use super::*;
    use crate::i18n::Language;

    #[test]
    fn a_form_collects_everything_that_is_wrong() {
        let mut refusals = Refusals::none();
        assert!(refusals.parse::<IdCode>("id_code", "7K3M").is_none());
        assert!(refusals.parse::<EmailAddress>("email", " ").is_none());
        assert!(refusals.parse_optional::<EmailAddress>("other_email", "").is_none());
        assert!(refusals.words("name", &"x".repeat(81), 80).is_none());
        let fields: Vec<_> = refusals.iter().map(|refusal| refusal.field).collect();
        assert_eq!(fields, ["id_code", "email", "name"]);
        let why = refusals.of("id_code").unwrap().say(Language::Fr);
        assert!(why.contains("12 caractères ; celui-ci en a 4"), "{why}");
    }
}
