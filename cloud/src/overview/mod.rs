//! Pages that show several features at once: home, a device with its sessions and its history. Changes nothing.

pub mod portal;
