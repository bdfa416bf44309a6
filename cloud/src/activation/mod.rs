//! Registration by the installer and activation by the customer: who a device belongs to, from when and until when.
//! Owns the table `registration`; never issues certificates, never opens sessions.
//!
//! The verbs, one file each: [`register`] (check and save), [`amend`] (what the installer repairs before the customer
//! confirms), [`confirm`], [`rule`] (what the customer changes afterwards), [`hand_over`] (to
//! another installer), [`release`]. [`service`] is what people read.

pub mod amend;
pub mod api;
pub mod confirm;
pub mod hand_over;
pub mod jobs;
pub mod machine;
mod mail_limit;
pub mod model;
pub mod portal;
mod record;
pub mod register;
pub mod release;
pub mod rule;
pub mod rule_form;
pub mod service;
pub mod show;
mod store;

pub use store::Wanted;
