//! The only place that prints for people.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one module that talks to the terminal")]

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
    eprintln!("gatelodge-agent: {}", failure.what);
    if let Some(place) = &failure.place {
        eprintln!("  where   {place}");
    }
    eprintln!("  next    {}", failure.next);
}

/// A line of the answer.
pub(super) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// A name and a value in two columns.
pub(super) fn field(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<14}{value}");
}

/// Asks and reads one line.
pub(super) fn ask(question: &str) -> String {
    eprint!("{question} ");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    answer.trim().to_owned()
}
