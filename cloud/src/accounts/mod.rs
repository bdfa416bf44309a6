//! Users, organisations, memberships, and how a person or a program shows who it is. Knows nothing of devices.
//!
//! Other features use [`model`], [`rights`], [`tokens`], [`service`] and the extractor [`SignedIn`].

pub mod api_token;
mod jobs;
pub mod model;
pub mod password;
pub mod portal_session;
pub mod rights;
pub mod service;
mod signed_in;
mod store;
mod throttle;
pub mod tokens;

pub use signed_in::{By, NotSignedIn, SignedIn};
