//! Reading and writing the fields of frames: big-endian numbers, texts with a 16-bit length. Never panics on any input.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Role;
use crate::payload::EndReason;

/// The bytes are no frame of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame ends before its fields do.
    #[error("a session frame is cut short")]
    Truncated,
    /// The frame is larger than its layer allows.
    #[error("a session frame has {0} bytes, more than its layer allows")]
    TooLong(usize),
    /// A frame type that may not be skipped.
    #[error("session frame type {0} is unknown; one of the two programs is too old")]
    UnknownType(u8),
    /// A field that holds something impossible.
    #[error("a session frame has no sound {0}")]
    Field(&'static str),
}

/// Types from here on may be skipped by who does not know them, so that later versions can add hints.
pub(super) const SKIPPABLE: u8 = 0x80;

/// Takes fields from the front of a frame's body. What is left over at the end belongs to a later version and is ignored.
pub(super) struct Fields(Bytes);

impl Fields {
    pub(super) const fn new(body: Bytes) -> Self {
        Self(body)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        self.0.try_get_u8().map_err(|_| FrameError::Truncated)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FrameError> {
        self.0.try_get_u16().map_err(|_| FrameError::Truncated)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.0.try_get_u32().map_err(|_| FrameError::Truncated)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.0.try_get_u64().map_err(|_| FrameError::Truncated)
    }

    pub(super) fn bytes(&mut self, max: usize, field: &'static str) -> Result<Bytes, FrameError> {
        let length = usize::from(self.u16()?);
        if length > max {
            return Err(FrameError::Field(field));
        }
        self.take(length)
    }

    pub(super) fn text(&mut self, max: usize, field: &'static str) -> Result<String, FrameError> {
        let bytes = self.bytes(max, field)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| FrameError::Field(field))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let taken = self.take(N)?;
        taken.as_ref().try_into().map_err(|_| FrameError::Truncated)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    fn take(&mut self, length: usize) -> Result<Bytes, FrameError> {
        if self.0.len() < length { Err(FrameError::Truncated) } else { Ok(self.0.split_to(length)) }
    }
}

/// Appends bytes with their length. Callers keep within 64 KiB; longer ones are cut, which no field of ours reaches.
pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&bytes[..usize::from(length)]);
}

/// Declares the wire numbers of a small enum, both ways, in one table.
macro_rules! codes {
    ($(#[$doc:meta])* $to:ident, $from:ident, $kind:ty, $field:literal, { $($variant:path = $code:literal),+ $(,)? }) => {
        pub(super) const fn $to(value: $kind) -> u8 {
            match value { $($variant => $code),+ }
        }
        pub(super) const fn $from(code: u8) -> Result<$kind, FrameError> {
            match code { $($code => Ok($variant),)+ _ => Err(FrameError::Field($field)) }
        }
    };
}
pub(super) use codes;

codes!(role_code, role, Role, "role", { Role::Technician = 1, Role::Device = 2 });

codes!(reason_code, reason, EndReason, "end reason", {
    EndReason::Technician = 1,
    EndReason::Customer = 2,
    EndReason::Device = 3,
    EndReason::Expired = 4,
    EndReason::Idle = 5,
    EndReason::Revoked = 6,
    EndReason::RelayLost = 7,
    EndReason::NeverJoined = 8,
    EndReason::Refused = 9,
    EndReason::DeviceOff = 10,
    EndReason::DeviceConsent = 11,
    EndReason::DeviceOwner = 12,
    EndReason::DeviceServices = 13,
    EndReason::DeviceBusy = 14,
    EndReason::DeviceClock = 15,
    EndReason::DeviceFault = 16,
    EndReason::DeviceProof = 17,
});

/// Compares the committed bytes of named frames with what is encoded today (`GATELODGE_PIN=1` writes a file that is
/// not there yet, never one that is).
#[cfg(test)]
pub(super) fn golden(file: &str, frames: &[(&str, Bytes)]) {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, bytes) in frames {
        let _ = write!(text, "{name} ");
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if std::env::var_os("GATELODGE_PIN").is_some() && !path.exists() {
        std::fs::write(&path, &text).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, pinned, "the wire changed: {}", path.display());
}
