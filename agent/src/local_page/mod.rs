//! The device's own page: who it is, how it stands, who is in, and the button that ends a session.

mod serve;

pub use serve::{PageError, serve};
