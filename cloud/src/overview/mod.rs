//! Pages that show several features at once: home, a device with its sessions, its history and its customer's
//! key. Changes nothing by itself.

pub mod export;
pub mod key;
pub mod portal;
pub mod rule;
