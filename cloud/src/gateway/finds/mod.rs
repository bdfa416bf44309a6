//! What there is on the networks of a device, in the portal: the gateway asks with the feature discovery, joins like a
//! technician's program, has the device look around, and opens web pages of what was found within the same session. Owns
//! no table: a session's key and what was found live in this node's memory alone.
//!
//! [`ask`] asks and begins, [`look`] is one such session, [`portal`] the pages.

mod ask;
mod look;
pub mod portal;

pub(super) use self::look::Look;
