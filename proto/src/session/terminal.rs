//! What travels on a terminal's stream: bytes, the window's size and the end, as `u8 type, u16 length`, then `length`
//! bytes. Knows no terminal and no recording.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    inner_frame::{Size, size},
    wire::{self, Fields, FrameError},
};

/// Bytes before a frame's body.
pub const HEADER: usize = 3;
/// The largest body.
pub const MAX_BODY: usize = 16 * 1024;
/// The longest sentence about an end; longer ones are cut.
const MAX_SENTENCE: usize = 512;

/// One frame on a terminal's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalFrame {
    /// Typed by the technician, or written by the program; at most [`MAX_BODY`].
    Data(Bytes),
    /// The technician's window has another size.
    Resize(Size),
    /// The program has ended; the device's last word.
    Exited(Exit),
    /// There is no terminal, or no more; the device's last word, with the reason in a sentence.
    Refused(String),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(u8),
    /// By a signal.
    Signal(u8),
}

impl Exit {
    /// The exit status that stands for it, as shells have it: 128 and the signal's number.
    pub const fn status(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

mod kind {
    pub(super) const DATA: u8 = 1;
    pub(super) const RESIZE: u8 = 2;
    pub(super) const EXITED: u8 = 3;
    pub(super) const REFUSED: u8 = 4;
}

impl TerminalFrame {
    /// Takes the first whole frame out of `buffer`; `None` when more bytes are needed. Hints of later versions are skipped.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        while buffer.len() >= HEADER {
            let (kind, length) = (buffer[0], usize::from(u16::from_be_bytes([buffer[1], buffer[2]])));
            if length > MAX_BODY {
                return Err(FrameError::TooLong(HEADER + length));
            }
            if buffer.len() < HEADER + length {
                return Ok(None);
            }
            buffer.advance(HEADER);
            let body = buffer.split_to(length).freeze();
            if let Some(frame) = Self::parse(kind, body)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn parse(kind: u8, body: Bytes) -> Result<Option<Self>, FrameError> {
        let mut fields = Fields::new(body);
        Ok(Some(match kind {
            kind::DATA => Self::Data(fields.rest()),
            kind::RESIZE => Self::Resize(size(&mut fields)?),
            kind::EXITED => Self::Exited(match (fields.u8()?, fields.u8()?) {
                (0, code) => Exit::Code(code),
                (1, signal) => Exit::Signal(signal),
                _ => return Err(FrameError::Field("kind of exit")),
            }),
            kind::REFUSED => Self::Refused(fields.text(MAX_SENTENCE, "sentence")?),
            wire::SKIPPABLE.. => return Ok(None),
            unknown => return Err(FrameError::UnknownType(unknown)),
        }))
    }

    /// Appends the frame's bytes. Data beyond [`MAX_BODY`] goes into further frames.
    pub fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Data(bytes) if bytes.is_empty() => head(out, kind::DATA, 0),
            Self::Data(bytes) => {
                for piece in bytes.chunks(MAX_BODY) {
                    head(out, kind::DATA, piece.len());
                    out.put_slice(piece);
                }
            }
            Self::Resize(size) => {
                head(out, kind::RESIZE, 4);
                out.put_u16(size.columns);
                out.put_u16(size.rows);
            }
            Self::Exited(exit) => {
                head(out, kind::EXITED, 2);
                let (kind, number) = match *exit {
                    Exit::Code(code) => (0, code),
                    Exit::Signal(signal) => (1, signal),
                };
                out.put_slice(&[kind, number]);
            }
            Self::Refused(sentence) => {
                let sentence = &sentence[..sentence.floor_char_boundary(MAX_SENTENCE)];
                head(out, kind::REFUSED, 2 + sentence.len());
                wire::put_bytes(out, sentence.as_bytes());
            }
        }
    }

    /// The frame alone.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.put(&mut out);
        out.freeze()
    }
}

fn head(out: &mut BytesMut, kind: u8, length: usize) {
    out.put_u8(kind);
    // Nobody calls this with more than `MAX_BODY`.
    out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn frame() -> impl Strategy<Value = TerminalFrame> {
        prop_oneof![
            vec(any::<u8>(), 0..2 * MAX_BODY).prop_map(|bytes| TerminalFrame::Data(bytes.into())),
            (1..=u16::MAX, 1..=u16::MAX).prop_map(|(columns, rows)| TerminalFrame::Resize(Size { columns, rows })),
            any::<u8>().prop_map(|code| TerminalFrame::Exited(Exit::Code(code))),
            any::<u8>().prop_map(|signal| TerminalFrame::Exited(Exit::Signal(signal))),
            "[a-zé]{0,200}".prop_map(TerminalFrame::Refused),
        ]
    }

    /// Data that was cut into several frames is one again.
    fn joined(frames: impl IntoIterator<Item = TerminalFrame>) -> Vec<TerminalFrame> {
        let mut joined: Vec<TerminalFrame> = Vec::new();
        for frame in frames {
            match (joined.last_mut(), frame) {
                (Some(TerminalFrame::Data(before)), TerminalFrame::Data(more)) => {
                    *before = [&before[..], &more[..]].concat().into();
                }
                (_, frame) => joined.push(frame),
            }
        }
        joined
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken_however_it_arrives(frames in vec(frame(), 0..8), cut in 1usize..700) {
            let mut bytes = BytesMut::new();
            for frame in &frames {
                frame.put(&mut bytes);
            }
            let (mut buffer, mut taken) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = TerminalFrame::take(&mut buffer).unwrap() {
                    taken.push(frame);
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(joined(taken), joined(frames));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = TerminalFrame::take(&mut buffer) {}
        }
    }

    #[test]
    fn hints_of_later_versions_are_skipped_and_other_surprises_are_not() {
        let mut later = BytesMut::from(&[0x80, 0, 2, 1, 2, 3, 0, 2, 0, 7][..]);
        assert_eq!(TerminalFrame::take(&mut later).unwrap(), Some(TerminalFrame::Exited(Exit::Code(7))));
        for (bytes, error) in [
            (&[9, 0, 0][..], FrameError::UnknownType(9)),
            (&[1, 0xff, 0xff], FrameError::TooLong(HEADER + 0xffff)),
            (&[2, 0, 3, 0, 80, 0], FrameError::Truncated),
            (&[2, 0, 4, 0, 0, 0, 24], FrameError::Field("window size")),
            (&[3, 0, 2, 2, 0], FrameError::Field("kind of exit")),
        ] {
            assert_eq!(TerminalFrame::take(&mut BytesMut::from(bytes)), Err(error));
        }
    }

    #[test]
    fn the_wire_is_pinned() {
        wire::golden(
            "terminal_frames.hex",
            &[
                ("data", TerminalFrame::Data(Bytes::from_static("ls ü\r".as_bytes())).encode()),
                ("resize", TerminalFrame::Resize(Size { columns: 132, rows: 43 }).encode()),
                ("exited", TerminalFrame::Exited(Exit::Code(3)).encode()),
                ("killed", TerminalFrame::Exited(Exit::Signal(9)).encode()),
                ("refused", TerminalFrame::Refused("no".into()).encode()),
            ],
        );
    }

    #[test]
    fn a_signal_is_told_as_shells_tell_it() {
        assert_eq!(Exit::Signal(15).status(), 143);
        assert_eq!(Exit::Signal(255).status(), 255);
        assert_eq!(Exit::Code(7).status(), 7);
    }
}
