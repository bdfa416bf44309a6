//! One struct per page, filled by the feature that owns it. Fields are plain data; the words are in `templates/` and
//! `locales/`.

mod entry;
mod fault;

pub use entry::{SignIn, SignInForm};
pub use fault::FaultPage;
