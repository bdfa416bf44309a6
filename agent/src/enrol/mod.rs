//! How the agent gets its first certificate, and what it does when the cloud no longer takes it.

mod driver;
mod machine;

pub use driver::{Outcome, Surroundings, ask_standing, enrol};
pub use machine::{Enrolment, ShownCode, Step};
