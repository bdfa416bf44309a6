//! A program signs in by a person's approval in the portal (RFC 8628): it shows a short code and polls with a long one;
//! the person compares the code, sees from where it was asked, and says yes or no. One approval gives one token.

pub(in crate::accounts) mod api;
mod machine;
mod service;
mod store;
mod user_code;

pub use machine::{Decision, INTERVAL, LIFE, PollRefusal};
pub(in crate::accounts) use service::refuse_all;
pub use service::{Granted, Request, Started, decide, look_up, poll, start};
pub use user_code::{InvalidUserCode, UserCode};
