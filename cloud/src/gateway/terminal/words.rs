//! What a browser at a terminal is told, in its language.

use gatelodge_proto::session::{inner_frame::OpenError, terminal::Exit};
use serde::Serialize;

use super::{live::Outcome, seat::Last};
use crate::i18n::{Language, say, say_with};

/// A word to the page's script.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub(super) enum Word {
    /// It is at the terminal; so many bytes follow that were shown before, and to which nothing answers.
    Begun { replay: usize },
    /// A piece of what it typed is on its way.
    Taken,
    /// The session ends soon.
    Ends { what: String },
    /// It is not at the terminal any more, or never was.
    Over(Why),
}

/// Why somebody is not at a terminal.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Why {
    /// What happened.
    pub(super) what: String,
    /// The device's own sentence, in English.
    pub(super) quote: Option<String>,
    /// What to do next.
    pub(super) next: String,
    /// Whether it can be gone on with here.
    pub(super) again: bool,
}

impl Why {
    /// By a key of the locales: `terminal-over-{code}` says what happened and `-next` what to do.
    pub(super) fn of(language: Language, code: &str, again: bool) -> Self {
        let what = say(language, &format!("terminal-over-{code}"));
        Self { what, quote: None, next: say(language, &format!("terminal-over-{code}-next")), again }
    }

    pub(super) fn over(language: Language, outcome: &Outcome) -> Self {
        let with = |code: &str, name: &'static str, value: String| {
            let what = say_with(language, &format!("terminal-over-{code}"), &[(name, value.into())]);
            Self { what, ..Self::of(language, code, false) }
        };
        match outcome {
            Outcome::Exited(exit @ Exit::Code(_)) => with("exited", "status", exit.status().to_string()),
            Outcome::Exited(Exit::Signal(signal)) => with("killed", "signal", signal.to_string()),
            Outcome::Refused(sentence) => {
                Self { quote: Some(sentence.clone()), ..Self::of(language, "refused", false) }
            }
            Outcome::Unopened(OpenError::Limit) => Self::of(language, "limit", false),
            Outcome::Unopened(_) | Outcome::NotLetIn => Self::of(language, "not-let-in", false),
            Outcome::Broken => Self::of(language, "broken", false),
            Outcome::Alone => Self::of(language, "alone", false),
            Outcome::SignedOut => Self::of(language, "signed-out", false),
            Outcome::Session(reason) => {
                let why = say(language, &format!("end-{}", reason.word().replace('_', "-")));
                with("session", "why", why)
            }
        }
    }

    pub(super) fn last(language: Language, last: &Last) -> Self {
        match last {
            Last::Elsewhere => Self::of(language, "elsewhere", true),
            Last::Ticket => Self::of(language, "ticket", true),
            Last::Late => Self::of(language, "late", true),
            Last::Foreign => Self::of(language, "foreign", true),
            Last::Over(outcome) => Self::over(language, outcome),
        }
    }
}

/// How long the session still lasts.
pub(super) fn ends(language: Language, seconds: u32) -> Word {
    let minutes = seconds.div_ceil(60);
    Word::Ends { what: say_with(language, "terminal-ends-in", &[("minutes", minutes.into())]) }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::EndReason;

    use super::*;

    #[test]
    fn every_end_is_said_with_what_to_do_next() {
        let outcomes = [
            Outcome::Exited(Exit::Code(3)),
            Outcome::Exited(Exit::Signal(9)),
            Outcome::Refused("this device cannot write the recording".into()),
            Outcome::Unopened(OpenError::Limit),
            Outcome::Unopened(OpenError::NotAllowed),
            Outcome::NotLetIn,
            Outcome::Broken,
            Outcome::Alone,
            Outcome::SignedOut,
            Outcome::Session(EndReason::Customer),
        ];
        let others = [Last::Elsewhere, Last::Ticket, Last::Late, Last::Foreign];
        for language in Language::ALL {
            let mut said = Vec::new();
            for last in outcomes.iter().cloned().map(Last::Over).chain(others.clone()) {
                let why = Why::last(language, &last);
                assert!(!why.what.is_empty() && !why.next.is_empty(), "{last:?}");
                assert!(!format!("{why:?}").contains("terminal-over"), "{why:?}");
                assert_eq!(why.again, !matches!(last, Last::Over(_)), "{last:?}");
                said.push(why.what);
            }
            assert!(said[0].contains('3') && said[1].contains('9'), "{said:?}");
        }
        let why = Why::over(Language::En, &outcomes[2]);
        assert_eq!(why.quote.as_deref(), Some("this device cannot write the recording"));
    }

    #[test]
    fn the_script_reads_what_it_knows() {
        let json = |word: Word| serde_json::to_string(&word).unwrap();
        assert_eq!(json(Word::Begun { replay: 7 }), r#"{"says":"begun","replay":7}"#);
        assert_eq!(json(Word::Taken), r#"{"says":"taken"}"#);
        let over = json(Word::Over(Why::of(Language::En, "elsewhere", true)));
        assert!(over.starts_with(r#"{"says":"over","what":"#) && over.ends_with(r#""again":true}"#), "{over}");
    }
}
