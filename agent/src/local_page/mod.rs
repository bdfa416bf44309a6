//! The device's own page: who it is, how it stands, who is in, and the button that ends a session. No state changes by
//! GET, and only a browser that was sent here by name or address of this device gets an answer.

mod guard;
mod language;
mod pages;
mod serve;

pub use serve::{PageError, serve};

#[cfg(test)]
mod tests;
