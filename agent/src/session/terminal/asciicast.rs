//! The lines of an asciicast (version 2, <https://docs.asciinema.org/manual/asciicast/v2/>). Pure: text in, text out.

use std::time::Duration;

use gatelodge_proto::{Timestamp, session::inner_frame::Size};
use serde::Serialize;

/// Makes text of what a program wrote, whatever bytes a piece ends with.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The beginning of a character whose end has not come.
    half: Vec<u8>,
}

/// No character of UTF-8 is longer.
const LONGEST: usize = 4;

impl Text {
    /// What is whole of the bytes so far; what can be no character is U+FFFD.
    pub(super) fn take(&mut self, bytes: &[u8]) -> String {
        let mut bytes = [std::mem::take(&mut self.half), bytes.to_vec()].concat();
        let whole = bytes.len() - unfinished(&bytes);
        self.half = bytes.split_off(whole);
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// How many bytes at the end begin a character and do not end it.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..LONGEST.min(bytes.len() + 1) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        let cut_short =
            matches!(std::str::from_utf8(&bytes[bytes.len() - back..]), Err(error) if error.error_len().is_none());
        return if back < length && cut_short { back } else { 0 };
    }
    0
}

#[derive(Serialize)]
struct Header<'a> {
    version: u8,
    width: u16,
    height: u16,
    timestamp: i64,
    env: Env<'a>,
}

#[derive(Serialize)]
struct Env<'a> {
    #[serde(rename = "TERM")]
    term: &'a str,
}

/// The first line.
pub(super) fn header(size: Size, began: Timestamp, term: &str) -> Vec<u8> {
    let (width, height, timestamp) = (size.columns, size.rows, began.micros().div_euclid(1_000_000));
    line(&Header { version: 2, width, height, timestamp, env: Env { term } })
}

/// Which way text went, or what else there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Output,
    Input,
    Resize,
    /// A mark; here it says how the program ended.
    Marker,
}

/// One event, so long after the beginning.
pub(super) fn event(after: Duration, kind: Kind, text: &str) -> Vec<u8> {
    let code = match kind {
        Kind::Output => "o",
        Kind::Input => "i",
        Kind::Resize => "r",
        Kind::Marker => "m",
    };
    #[expect(clippy::cast_precision_loss, reason = "the recording of a century loses a microsecond")]
    let seconds = (after.as_micros() as f64) / 1e6;
    line(&(seconds, code, text))
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = gatelodge_proto::payload::encode(value);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_that_is_cut_anywhere_is_whole_in_the_recording(text in "[a-zé€𐍈\u{1b}\r\n]{0,200}", cut in 1usize..7) {
            let mut taken = Text::default();
            let whole: String = text.as_bytes().chunks(cut).map(|piece| taken.take(piece)).collect();
            prop_assert_eq!(whole, text);
            prop_assert!(taken.half.is_empty());
        }

        #[test]
        fn whatever_is_written_little_is_held(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..40)) {
            let (mut taken, mut whole) = (Text::default(), String::new());
            for piece in &pieces {
                whole += &taken.take(piece);
                prop_assert!(taken.half.len() < LONGEST);
            }
            let all = pieces.concat();
            prop_assert_eq!(whole, String::from_utf8_lossy(&all[..all.len() - taken.half.len()]));
        }
    }

    #[test]
    fn lines_as_players_read_them() {
        let began = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(
            header(Size { columns: 80, rows: 24 }, began, "xterm"),
            b"{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1800000000,\"env\":{\"TERM\":\"xterm\"}}\n"
        );
        let after = Duration::from_micros(1_500_001);
        assert_eq!(event(after, Kind::Output, "a\u{1b}[1m\"\n"), b"[1.500001,\"o\",\"a\\u001b[1m\\\"\\n\"]\n");
        assert_eq!(event(Duration::ZERO, Kind::Resize, "132x43"), b"[0.0,\"r\",\"132x43\"]\n");
    }
}
