//! Gatelodge's cloud: registrar, portal, JSON API, device CA and session relay in one program.
//!
//! `config, clock <- kits <- features <- wiring <- cli <- main`: kits know no feature; features know those to their left,
//! by `model` and `service` alone; the tables that know every feature live in `wiring`.

pub mod accounts;
pub mod activation;
pub mod audit;
pub mod cli;
pub mod config;
pub mod db;
pub mod devices;
pub mod gateway;
pub mod i18n;
pub mod jobs;
pub mod kits;
pub mod limits;
pub mod mail;
pub mod mqtt;
pub mod overview;
pub mod pki;
pub mod recordings;
pub mod render;
pub mod sessions;
pub mod web;
pub mod wiring;

pub use gatelodge_proto::clock;
