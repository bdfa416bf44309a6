//! This computer's own terminal: its size, and its raw mode for as long as another one is shown in it.

use std::io::{self, IsTerminal as _};

use gatelodge_proto::session::inner_frame::{Size, TerminalType};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Where nobody knows better.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// The size of the window that standard output or error goes to.
pub(super) fn size() -> Size {
    let size = |window: rustix::io::Result<rustix::termios::Winsize>| {
        window.ok().map(|window| Size { columns: window.ws_col, rows: window.ws_row })
    };
    let of = [size(tcgetwinsize(io::stdout())), size(tcgetwinsize(io::stderr())), size(tcgetwinsize(io::stdin()))];
    of.into_iter().flatten().find(|size| size.columns > 0 && size.rows > 0).unwrap_or(USUAL)
}

/// The kind of terminal that this is, by `TERM`.
pub(super) fn kind(term: Option<&str>) -> Option<TerminalType> {
    [term, Some("xterm-256color")].into_iter().flatten().find_map(|name| name.parse().ok())
}

/// Standard input, raw until this is dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Raw(Option<Termios>);

impl Raw {
    /// Nothing changes where no person types.
    pub(super) fn begin() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_none_is_the_usual_one() {
        for (given, told) in [(Some("screen"), "screen"), (Some("a b"), "xterm-256color"), (None, "xterm-256color")] {
            assert_eq!(kind(given).unwrap().as_str(), told);
        }
    }
}
