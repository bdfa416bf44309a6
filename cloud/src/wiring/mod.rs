//! The tables that know every feature: routes, jobs, device messages; and the node that runs them all.

mod document;
mod jobs;
mod node;
mod prune;
mod routes;

pub use node::{Addresses, Node, StartError, open_kits};
pub use routes::routes;
