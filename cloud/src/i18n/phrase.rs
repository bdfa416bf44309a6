//! A sentence in a language: looked up by key, filled with data.

use std::{borrow::Cow, collections::HashMap};

use fluent_templates::{Loader as _, fluent_bundle::FluentValue, static_loader};

use super::Language;

static_loader! {
    static SENTENCES = {
        locales: "./locales",
        fallback_language: "en",
        // Without this every number and name would be wrapped in invisible direction marks.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// Data for a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Words, shown as they are.
    Text(String),
    /// A number, which also picks the plural.
    Number(i64),
}

impl Argument {
    fn value(&self) -> FluentValue<'_> {
        match self {
            Self::Text(text) => FluentValue::from(text.as_str()),
            Self::Number(number) => FluentValue::from(*number),
        }
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Argument {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

macro_rules! from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for Argument {
            fn from(number: $number) -> Self {
                Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
    )*};
}
from_number!(i64, u64, u32, i32, usize);

/// A sentence to say later, when the reader's language is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// Its key in `locales`.
    pub key: Cow<'static, str>,
    /// Its data.
    pub arguments: Vec<(&'static str, Argument)>,
}

impl Phrase {
    /// The sentence of a key.
    pub const fn new(key: &'static str) -> Self {
        Self { key: Cow::Borrowed(key), arguments: Vec::new() }
    }

    /// With a piece of data.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }

    /// Whether there is such a sentence and all its data is here.
    pub fn is_complete(&self) -> bool {
        try_say(Language::default(), &self.key, &self.arguments).is_some()
    }

    /// The sentence in `language`.
    pub fn say(&self, language: Language) -> String {
        say_with(language, &self.key, &self.arguments)
    }
}

/// The sentence of `key` in `language`.
pub fn say(language: Language, key: &str) -> String {
    say_with(language, key, &[])
}

/// The sentence of `key` in `language`, when there is one and it needs no data.
pub fn say_if_known(language: Language, key: &str) -> Option<String> {
    try_say(language, key, &[])
}

/// The sentence of `key` in `language`, with data. An unknown key, or one whose data is missing, gives itself between
/// `⟦` and `⟧`, which no test lets pass.
pub fn say_with(language: Language, key: &str, arguments: &[(&'static str, Argument)]) -> String {
    try_say(language, key, arguments).unwrap_or_else(|| {
        tracing::error!(key, language = language.tag(), "a sentence or its data is missing");
        format!("⟦{key}⟧")
    })
}

fn try_say(language: Language, key: &str, arguments: &[(&'static str, Argument)]) -> Option<String> {
    let values: HashMap<Cow<'static, str>, FluentValue<'_>> =
        arguments.iter().map(|(name, argument)| (Cow::Borrowed(*name), argument.value())).collect();
    SENTENCES.try_lookup_complete(&language.identifier(), key, Some(&values))
}
