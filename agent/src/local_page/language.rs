//! The page's words, in the language the browser asks for.

use std::{borrow::Cow, collections::HashMap};

use fluent_templates::{LanguageIdentifier, Loader as _, fluent_bundle::FluentValue};
use unic_langid::langid;

fluent_templates::static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // The words stand alone or inside our own markup; invisible marks would end up in copied codes.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

const LANGUAGES: [LanguageIdentifier; 2] = [langid!("en"), langid!("fr")];

/// One language.
#[derive(Debug, Clone)]
pub(crate) struct Words(LanguageIdentifier);

impl Words {
    /// The first language of `Accept-Language` (RFC 9110 section 12.5.4) that there is; English otherwise.
    pub(crate) fn accepted(header: Option<&str>) -> Self {
        let mut wishes: Vec<(f32, &str)> = header
            .unwrap_or_default()
            .split(',')
            .filter_map(|wish| {
                let mut parts = wish.trim().split(';');
                let tag = parts.next()?.trim();
                let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
                (weight > 0.0).then_some((weight, tag))
            })
            .collect();
        wishes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let spoken = wishes.iter().find_map(|(_, tag)| {
            let language = tag.split('-').next()?;
            LANGUAGES.into_iter().find(|one| one.language.as_str().eq_ignore_ascii_case(language))
        });
        Self(spoken.unwrap_or(langid!("en")))
    }

    /// For `<html lang>`.
    pub(crate) fn tag(&self) -> String {
        self.0.to_string()
    }

    /// The words for a key.
    pub(crate) fn get(&self, key: &str) -> String {
        LOCALES.lookup(&self.0, key)
    }

    /// The words for a key with one value in them.
    pub(super) fn with(&self, key: &str, name: &'static str, value: impl AsRef<str>) -> String {
        let values = HashMap::from([(Cow::from(name), FluentValue::from(value.as_ref().to_owned()))]);
        LOCALES.lookup_with_args(&self.0, key, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_s_first_spoken_wish_wins() {
        for (header, tag) in [
            (None, "en"),
            (Some(""), "en"),
            (Some("fr-CH, fr;q=0.9, en;q=0.8"), "fr"),
            (Some("de, en;q=0.5, fr;q=0.7"), "fr"),
            (Some("fr;q=0, en"), "en"),
            (Some("xx"), "en"),
        ] {
            assert_eq!(Words::accepted(header).tag(), tag, "{header:?}");
        }
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        let keys = |text: &str| -> Vec<String> {
            let mut keys: Vec<String> = text
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
                .filter_map(|line| Some(line.split_once(" =")?.0.to_owned()))
                .collect();
            keys.sort();
            keys
        };
        let (english, french) =
            (keys(include_str!("../../locales/en/page.ftl")), keys(include_str!("../../locales/fr/page.ftl")));
        assert_eq!(english, french);
        let used = [
            include_str!("pages.rs"),
            include_str!("history.rs"),
            include_str!("consent.rs"),
            include_str!("../session/flows/page.rs"),
            include_str!("../../templates/page.html"),
            include_str!("../../templates/history.html"),
            include_str!("../../templates/key.html"),
        ]
        .concat();
        // Made of words of the wire; `history.rs` and `pages.rs` have tests of their own for them.
        let made = |key: &str| {
            ["end-", "target-", "life-", "day-", "consent-break-glass-"].iter().any(|begins| key.starts_with(begins))
        };
        for key in english {
            assert!(made(&key) || used.contains(&format!("\"{key}\"")), "{key} is not used");
        }
    }
}
