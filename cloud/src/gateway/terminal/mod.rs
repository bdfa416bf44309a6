//! Terminals of devices in a browser: the gateway asks with the features terminal and web, joins like a technician's
//! program, and carries one terminal between the device and one browser at a time. It can read what passes, and says so;
//! what records it is the device. Owns no table: a session's key lives in this node's memory alone.
//!
//! [`ask`] asks and lets in, [`live`] is one terminal, [`seat`] the browser at it, [`carry`] moves what is shown and
//! typed, [`socket`] is the browser's end, [`words`] what it is told, [`portal`] the pages.

mod ask;
mod carry;
mod live;
pub mod portal;
mod seat;
mod socket;
mod words;

pub(super) use self::live::Terminal;
