//! Devices: catalogue, inventory, enrolment, certificates, presence, reports and commands. Who owns a device is the
//! business of `activation`; here a life only changes on request.

mod accept;
pub mod api;
pub mod catalogue;
pub mod commands;
mod doubled;
pub mod enrol;
pub mod import;
pub mod ingest;
pub mod jobs;
pub mod machine;
pub mod model;
pub mod portal;
pub mod presence;
pub mod presets;
pub mod prune;
mod revocations;
pub mod service;
mod speaker;
mod store;
pub mod verify;
mod waiting;
