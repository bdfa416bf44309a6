//! Registration by the installer and activation by the customer: who a device belongs to, from when and until when.
//! Owns the table `registration`; never issues certificates, never opens sessions.

pub mod machine;
pub mod model;
mod store;

pub use store::Wanted;
