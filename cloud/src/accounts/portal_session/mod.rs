//! Signed-in browsers: a random id in a cookie, of which only the hash is stored; idle and absolute limits; listed and
//! ended by their user.

mod service;
mod store;

pub use service::{
    Browser, COOKIE, PortalSession, Recognised, begin, confirm, end, end_one, end_others, end_within, list, recognise,
    switch,
};
pub(in crate::accounts) use store::end_all;
