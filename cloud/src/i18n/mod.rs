//! Languages: which one a person reads, and every sentence in it. The sentences live in `locales/{language}/*.ftl`,
//! compiled in. Never decides what to say; callers name a key.
//!
//! A sentence with data is a [`Phrase`]; what the programs' own types refuse is explained through [`Explain`].

mod explain;
mod language;
mod phrase;
mod spans;
#[cfg(test)]
mod tests;

pub use explain::Explain;
pub use language::{Language, negotiate};
pub use phrase::{Argument, Phrase, say, say_if_known, say_with};
pub use spans::{ago, bytes, date, days, moment, span};
