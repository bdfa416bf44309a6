//! What a person types on its way to a terminal elsewhere, and the word by which they leave it. Pure.

/// The way out, for the line that tells of it.
pub const WAY_OUT: &str = "Enter ~ .";

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Finds `~.` at the beginning of a line, as OpenSSH does; `~~` there is one `~`. What is pasted is never the way out,
/// where the terminal marks pastes.
#[derive(Debug)]
pub(super) struct Escape {
    place: Place,
    pasting: bool,
    /// How much of a mark of a paste has come.
    mark: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    Tilde,
    Within,
}

impl Default for Escape {
    fn default() -> Self {
        Self { place: Place::LineStart, pasting: false, mark: 0 }
    }
}

/// What becomes of what was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// For the other terminal.
    pub(super) bytes: Vec<u8>,
    /// Whether the person wants to leave.
    pub(super) leave: bool,
}

impl Escape {
    /// The next bytes.
    pub(super) fn take(&mut self, typed: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(typed.len() + 1);
        for &byte in typed {
            self.follow_paste(byte);
            if self.pasting {
                if self.place == Place::Tilde {
                    bytes.push(b'~');
                }
                self.place = Place::Within;
                bytes.push(byte);
                continue;
            }
            match (self.place, byte) {
                (Place::LineStart, b'~') => {
                    self.place = Place::Tilde;
                    continue;
                }
                (Place::Tilde, b'.') => return Typed { bytes, leave: true },
                (Place::Tilde, other) if other != b'~' => bytes.push(b'~'),
                (Place::Tilde | Place::LineStart | Place::Within, _) => {}
            }
            bytes.push(byte);
            self.place = if matches!(byte, b'\r' | b'\n') { Place::LineStart } else { Place::Within };
        }
        Typed { bytes, leave: false }
    }

    fn follow_paste(&mut self, byte: u8) {
        let mark = if self.pasting { PASTE_ENDS } else { PASTE_BEGINS };
        self.mark = if mark[self.mark] == byte { self.mark + 1 } else { usize::from(byte == mark[0]) };
        if self.mark == mark.len() {
            (self.pasting, self.mark) = (!self.pasting, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(pieces: &[&str]) -> (String, bool) {
        let (mut escape, mut bytes) = (Escape::default(), Vec::new());
        for piece in pieces {
            let typed = escape.take(piece.as_bytes());
            bytes.extend(typed.bytes);
            if typed.leave {
                return (String::from_utf8(bytes).unwrap(), true);
            }
        }
        (String::from_utf8(bytes).unwrap(), false)
    }

    #[test]
    fn only_at_the_beginning_of_a_line_and_outside_a_paste() {
        for (pieces, sent, leaves) in [
            (&["~."][..], "", true),
            (&["ls\r", "~", "."], "ls\r", true),
            (&["ls ~.\r"], "ls ~.\r", false),
            (&["\r~~.\r"], "\r~.\r", false),
            (&["\r~x"], "\r~x", false),
            (&["\r~\r~."], "\r~\r", true),
            (&["\x1b[200~a\r~.\r\x1b[201~"], "\x1b[200~a\r~.\r\x1b[201~", false),
            (&["\x1b[20", "0~\r~.\x1b[201~\r~."], "\x1b[200~\r~.\x1b[201~\r", true),
        ] {
            assert_eq!(typed(pieces), (sent.to_owned(), leaves), "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn without_a_tilde_nothing_changes(pieces in proptest::collection::vec("[^~]{0,20}", 0..9)) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(typed(&pieces), (pieces.concat(), false));
        }
    }
}
