//! `gatelodge-agent`: runs on the device, reports who it is, and carries out what its cloud asks within its own rules.

pub mod audit;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod consent;
pub mod delivery;
pub mod doctor;
pub mod enrol;
mod hex;
pub mod identity;
pub mod local_page;
pub mod outbox;
pub mod recordings;
pub mod run;
pub mod session;
pub mod state;
pub mod status;

pub use gatelodge_proto::clock;
