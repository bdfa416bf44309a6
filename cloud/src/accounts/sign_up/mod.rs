//! An installer signs up: company, person and address wait in a row of their own until the link in the mail comes back
//! with a password. Whether an address is known already is told to its owner alone, by mail.

mod confirm;
mod service;
mod store;

pub use confirm::{ConfirmRefusal, confirm};
pub use service::{Application, sign_up};
pub(in crate::accounts) use store::waiting;
