//! An organisation's key pair for recordings of terminals, made in the browser of one of its administrators. Knows the
//! public half; the private one it keeps as that browser wrapped it, with a passphrase that it never sees.

mod model;
mod service;
mod store;

pub use model::{FEWEST_ROUNDS, InvalidWrappedKey, WrappedKey};
pub use service::{SetRefusal, current, of_organisation, set};
