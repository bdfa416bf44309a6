//! Remote sessions: who may reach which services of which device, asked, allowed, open and over. Owns the tables
//! `remote_session`, `join_ticket` and `session_flow`; never carries a byte (that is the relay's part) and never
//! decides for the customer.

pub mod machine;
pub mod model;
pub mod relay;
mod store;
