//! Recordings of terminals: taken from devices, kept as long as the vendor says, given to members of the customer and the
//! installer they are for. Owns the table `recording` and the folder of their files; can read none of them.

pub mod api;
mod folder;
pub mod model;
pub mod portal;
pub mod prune;
pub mod receive;
pub mod service;
mod store;
