//! `gatelodge`: the technician's command line. Signs in, lists devices, opens sessions and forwards ports through them.
//!
//! Everything is reachable as a library, so that tests run what the program runs; `main` only chooses the exit code.

pub mod cli;
pub mod cloud;
pub mod files;
pub mod forward;
pub mod output;
pub mod pick;
mod sentences;
pub mod shell;
pub mod signed_in;
pub mod tls;
pub mod vpn;
pub mod way;

pub use gatelodge_proto::clock;
