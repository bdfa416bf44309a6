//! `doctor`: prints what each check found.

use std::{path::Path, process::ExitCode};

use super::{
    environment, runtime,
    term::{Failure, field, say},
};
use crate::{
    clock::Clock,
    doctor::{self, Verdict},
};

pub(super) fn doctor(file: Option<&Path>) -> Result<ExitCode, Failure> {
    let findings = runtime()?.block_on(doctor::examine(file, environment(), &Clock::system()));
    let mut sound = true;
    for finding in findings {
        let (mark, next) = match &finding.verdict {
            Verdict::Good => ("ok", None),
            Verdict::Note { next } => ("note", Some(next)),
            Verdict::Bad { next } => {
                sound = false;
                ("FAIL", Some(next))
            }
        };
        say(format!("{mark:<5} {:<16} {}", finding.check, finding.found));
        if let Some(next) = next {
            field("     next", next);
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
