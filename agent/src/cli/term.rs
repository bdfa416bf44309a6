//! The only place that prints for people. A reader that has gone, as in `status | head`, is no reason to fail.

use std::{
    fmt::Display,
    io::{Write as _, stderr, stdout},
};

/// Something did not work: what, where, what next.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    place: Option<String>,
    next: String,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, next: next.into() }
    }

    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
}

pub(super) fn fail(failure: &Failure) {
    let mut out = stderr().lock();
    let _ = writeln!(out, "gatelodge-agent: {}", failure.what);
    if let Some(place) = &failure.place {
        let _ = writeln!(out, "  where   {place}");
    }
    let _ = writeln!(out, "  next    {}", failure.next);
}

/// A line of the answer.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(stdout(), "{line}");
}

/// A name and a value in two columns.
pub(super) fn field(name: &str, value: impl Display) {
    let _ = writeln!(stdout(), "  {name:<14}{value}");
}

/// Asks and reads one line.
pub(super) fn ask(question: &str) -> String {
    let _ = write!(stderr(), "{question} ");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    answer.trim().to_owned()
}
