//! Bearer tokens for programs: `gl_` and 256 bits, of which only the hash is stored; listed and revoked by their user.

mod service;
mod store;

pub use service::{ApiToken, BearerToken, InvalidBearerToken, LIFE, issue, list, make, recognise, revoke};
pub(in crate::accounts) use store::revoke_all;
