//! The only place that prints: answers on standard output, everything about the way there on standard error.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use comfy_table::{Table, presets};
use serde::Serialize;

/// What the program's exit code says; also in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Nobody is signed in here.
    NotSignedIn = 3,
    /// The customer, a rule or the device said no.
    Refused = 4,
    /// The portal or the relay cannot be reached.
    Unreachable = 5,
    /// A session was ended by somebody else, or by its time.
    Ended = 6,
}

/// The exit codes, for `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not signed in, 4 refused by the customer \
                              or a rule, 5 portal not reachable, 6 session ended by somebody else or by its time";

/// Something did not work: what, about what, what next. Three lines on the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// About what: a label and a value.
    pub about: Option<(&'static str, String)>,
    /// What to do.
    pub next: String,
}

impl Failure {
    /// A failure without a middle line.
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), about: None, next: next.into() }
    }

    /// With its middle line.
    #[must_use]
    pub fn about(self, label: &'static str, value: impl Into<String>) -> Self {
        Self { about: Some((label, value.into())), ..self }
    }

    /// The three lines.
    pub fn lines(&self) -> String {
        let middle = self.about.as_ref().map(|(label, value)| format!("  {label:<8}{value}\n")).unwrap_or_default();
        format!("gatelodge: {}\n{middle}  {:<8}{}", self.what, "next", self.next)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON value a line instead of words.
    pub json: bool,
}

impl Output {
    /// Whether a person looks at standard error, and not a program.
    pub fn is_watched(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// An answer in words; nothing with `--json`.
    pub fn say(self, words: &str) {
        if !self.json {
            out(words);
        }
    }

    /// Something on the way, for a person.
    pub fn note(self, words: &str) {
        if !self.json {
            err(words);
        }
    }

    /// Something for a person whose terminal shows another computer's at the moment.
    pub fn aside(self, words: &str) {
        if self.is_watched() {
            let _ = write!(std::io::stderr().lock(), "\r\n[gatelodge: {}]\r\n", plain(words));
        }
    }

    /// What a person at the terminal types in one line; nothing when nobody is there or the line is empty.
    pub async fn ask(self, question: &str) -> Option<String> {
        if !self.is_watched() || !std::io::stdin().is_terminal() {
            return None;
        }
        let _ = write!(std::io::stderr().lock(), "{question}");
        let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await;
        let line = line.ok().flatten().and_then(Result::ok)?;
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }

    /// An answer for machines; nothing without `--json`. Whoever reads it may have gone.
    pub fn value(self, value: &impl Serialize) {
        if self.json
            && let Ok(line) = serde_json::to_string(value)
        {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }

    /// A list: a table for people, plain columns when piped.
    pub fn table<const N: usize>(self, heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        if self.json {
            return;
        }
        if !std::io::stdout().is_terminal() {
            for row in rows {
                out(&row.map(|cell| cell.replace(['\t', '\n'], " ")).join("\t"));
            }
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(heads);
        for row in rows {
            table.add_row(row.map(|cell| plain(&cell)));
        }
        out(&table.to_string());
    }

    /// Why it did not work.
    pub fn fail(self, failure: &Failure) {
        if self.json {
            let value = serde_json::json!({
                "error": failure.what,
                "about": failure.about.as_ref().map(|(_, value)| value),
                "next": failure.next,
                "exit": failure.exit as u8,
            });
            err(&value.to_string());
        } else {
            err(&failure.lines());
        }
    }
}

/// On standard output; whoever reads it may have gone, like `head`, and a session must not fall over that.
fn out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", plain(text));
}

fn err(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}

/// The text as a terminal may have it: what a device, a customer or a cloud has written moves no cursor and sets no
/// title (CWE-150).
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_not_steer_the_terminal() {
        let hostile = "refused\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\r";
        assert!(!plain(hostile).contains(char::is_control), "{:?}", plain(hostile));
        assert_eq!(plain("Villa\tRosa\nété"), "Villa\tRosa\nété");
    }

    #[test]
    fn a_failure_has_three_lines_at_most() {
        let failure = Failure::new(Exit::Refused, "the customer has not allowed this session yet", "wait here")
            .about("device", "Villa Rosa (7K3M-9QWX-22FP), asked 2 minutes ago");
        assert_eq!(
            failure.lines(),
            "gatelodge: the customer has not allowed this session yet\n  \
             device  Villa Rosa (7K3M-9QWX-22FP), asked 2 minutes ago\n  \
             next    wait here"
        );
    }
}
