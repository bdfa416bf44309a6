//! The device's own page: who it is, how it stands, who is in, who asks to enter, and the buttons that answer and end. No
//! state changes by GET, and only a browser that was sent here by name or address of this device gets an answer.

mod caller;
mod consent;
mod guard;
mod history;
mod language;
mod pages;
mod serve;

pub(crate) use language::Words;
pub use serve::{PageError, serve};

#[cfg(test)]
mod tests;
