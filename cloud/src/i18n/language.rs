//! The languages the portal speaks.

use std::{fmt, str::FromStr};

use unic_langid::{LanguageIdentifier, langid};

/// A language with a complete folder of sentences. Another one (it, de, es) is its folder and a line in each match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, also what is spoken when nothing else fits.
    #[default]
    En,
    /// French.
    Fr,
}

/// The text is no language the portal speaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a language of this portal; it speaks en and fr")]
pub struct UnknownLanguage(String);

impl Language {
    /// All languages, in the order they are offered.
    pub const ALL: [Self; 2] = [Self::En, Self::Fr];

    /// The tag of BCP 47, as in `lang="fr"`, cookies and the database.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// What its speakers call it.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Fr => "Français",
        }
    }

    pub(super) const fn identifier(self) -> LanguageIdentifier {
        match self {
            Self::En => langid!("en"),
            Self::Fr => langid!("fr"),
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownLanguage(text.chars().take(20).collect()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// The best language for an `Accept-Language` header (RFC 9110 section 12.5.4): highest weight first, the
/// header's order among equals, regions ignored.
pub fn negotiate(accept_language: Option<&str>) -> Language {
    let mut best: Option<(f32, Language)> = None;
    for range in accept_language.unwrap_or_default().split(',').take(20) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let primary = tag.split('-').next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0));
        let language = if primary == "*" { Ok(Language::default()) } else { primary.parse() };
        if let Ok(language) = language
            && weight > best.map_or(0.0, |(weight, _)| weight)
        {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_wins_and_regions_do_not_matter() {
        let cases = [
            (None, Language::En),
            (Some("fr"), Language::Fr),
            (Some("fr-CA,fr;q=0.9,en;q=0.8"), Language::Fr),
            (Some("en;q=0.2, fr;q=0.7"), Language::Fr),
            (Some("fr, en"), Language::Fr),
            (Some("pt, nl;q=0.9"), Language::En),
            (Some("pt, fr;q=0.1"), Language::Fr),
            (Some("fr;q=0, en"), Language::En),
            (Some(";;;,q=,*;q=x"), Language::En),
        ];
        for (header, expected) in cases {
            assert_eq!(negotiate(header), expected, "{header:?}");
        }
    }
}
