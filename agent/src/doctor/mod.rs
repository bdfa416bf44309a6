//! Self-diagnosis: every step from the settings to the device endpoint, one check a file, each with its next step.

mod audit;
mod certificate;
mod clock;
mod cloud;
mod consent;
mod endpoint;
mod identity;
mod settings;
mod state_dir;

use std::path::Path;

use crate::clock::Clock;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// What it saw.
    pub found: String,
    /// Whether that is good.
    pub verdict: Verdict,
}

/// Whether a finding is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Good,
    /// Works, and somebody may want to know.
    Note {
        /// What to do about it.
        next: String,
    },
    /// Does not work.
    Bad {
        /// What to do about it.
        next: String,
    },
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), verdict: Verdict::Good }
    }

    fn note(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, found: found.into(), verdict: Verdict::Note { next: next.into() } }
    }

    fn bad(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, found: found.into(), verdict: Verdict::Bad { next: next.into() } }
    }
}

/// Runs every check that makes sense after the ones before it.
pub async fn examine(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    time: &Clock,
) -> Vec<Finding> {
    let (finding, config) = settings::check(file, environment);
    let mut findings = vec![finding];
    let Some(config) = config else { return findings };
    findings.push(state_dir::check(&config.state_dir));
    findings.push(audit::check(&config.state_dir));
    findings.push(consent::check(&config));
    findings.extend(identity::check(&config.identity));
    let (finding, told) = cloud::check(&config.cloud, time).await;
    findings.push(finding);
    if let Some(told) = told {
        findings.push(clock::check(told, time.now()));
    }
    // The running agent goes by the cloud's hour too, so a wrong clock is told once and not by every step after it.
    let time = &told.flatten().map_or_else(|| time.clone(), Clock::set_to);
    let holding = crate::state::read_holding(&config.state_dir).ok().flatten();
    findings.push(certificate::check(holding.as_ref(), time.now()));
    findings.extend(endpoint::check(holding.as_ref(), &config.cloud, time).await);
    findings
}
