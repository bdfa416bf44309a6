//! Remote sessions: who may reach which services of which device, asked, allowed, open and over. Owns the tables
//! `remote_session`, `join_ticket`, `session_flow` and `device_key`; never carries a byte (that is the relay's part) and never
//! decides for the customer.
//!
//! The verbs, one file each: [`request`], [`decide`], [`join`], [`own`], [`extend`], [`end`]. [`relay`] carries the bytes;
//! [`carry`] is what it asks and tells, [`ingest`] what the device tells, [`service`] what people read.

pub mod api;
pub mod break_glass;
pub mod carry;
pub mod decide;
pub mod emergency;
pub mod end;
pub mod extend;
mod grant;
pub mod ingest;
pub mod jobs;
pub mod join;
pub mod key;
pub mod machine;
pub mod model;
pub mod own;
pub mod portal;
pub mod prune;
mod record;
pub mod relay;
pub mod request;
pub mod service;
pub mod show;
mod store;
