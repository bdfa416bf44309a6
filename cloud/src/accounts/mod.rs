//! Users, organisations, memberships, and how a person or a program shows who it is. Knows nothing of devices.
//!
//! Other features use [`model`], [`rights`], [`tokens`], [`service`] and the extractor [`SignedIn`].

pub mod api;
pub mod api_token;
pub mod failure;
mod jobs;
pub mod model;
mod origin;
pub mod password;
pub mod portal;
pub mod portal_session;
pub mod program_sign_in;
pub mod recording_key;
pub mod recover;
pub mod rights;
pub mod second_factor;
pub mod second_step;
pub mod service;
pub mod sign_in;
pub mod sign_up;
mod signed_in;
mod store;
mod throttle;
pub mod tokens;

pub use jobs::jobs;
pub use signed_in::{Bell, By, NotSignedIn, SignedIn};
