//! The JSON API as programs meet it: its document, and calls that have no story of their own.

mod document;
mod quarantine;
mod rules;
