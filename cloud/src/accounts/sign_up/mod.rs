//! An installer signs up: company, person, address and password wait in a row of their own until the link in the mail
//! comes back. Whether an address is known already is told to its owner alone, by mail.

mod service;
mod store;

pub use service::{Application, confirm, sign_up};
pub(in crate::accounts) use store::waiting;
