//! `gatelodge`: the technician's command line. Signs in, lists devices, opens sessions and forwards ports through them.
//!
//! Everything is reachable as a library, so that tests run what the program runs; `main` only chooses the exit code.

pub mod clock;
pub mod forward;
pub mod tls;
