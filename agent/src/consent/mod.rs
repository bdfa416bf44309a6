//! The customer's key on this device, and whether a session has the consent that it asks for: the key's signature, a
//! rule that the key has signed, or a press on the device. Nothing that the cloud says sets the key or takes it away.

mod book;
mod gate;
mod keeper;
mod pin;
mod signature;

pub use book::{Book, Wanted};
pub use gate::{Gate, Moments, Unproven};
pub use keeper::{Keeper, Refused};
pub use pin::Pin;
pub use signature::is_signed;

#[cfg(test)]
pub(crate) mod tests;
