//! `gatelodge-agent`: runs on the device, reports who it is, and carries out what its cloud asks within its own rules.

pub mod clock;
pub mod config;
pub mod identity;
pub mod outbox;
pub mod state;
