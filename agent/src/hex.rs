//! Bytes as hexadecimal text.

use std::fmt::Write as _;

/// Lower case, two digits a byte.
pub(crate) fn lower(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
