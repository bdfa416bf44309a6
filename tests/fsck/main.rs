//! `gatelodge-fsck`: whether what a cloud has in its database, and what it has promised, still fits together.

mod arguments;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use gatelodge_cloud::db::Db;
use gatelodge_tests::fsck::{self, Outcome, Progress};

use arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(outcome) if outcome.findings.is_empty() => {
            output::say(&format!("whole: {}", outcome.looked_at));
            ExitCode::SUCCESS
        }
        Ok(outcome) => {
            for finding in &outcome.findings {
                output::say(&finding.to_string());
            }
            output::say(&format!("broken: {} findings; {}", outcome.findings.len(), outcome.looked_at));
            ExitCode::from(1)
        }
        Err(error) => {
            output::failure(&error);
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let db = Db::open_to_read(&arguments.database()?).await?;
    let progress = Progress::default();
    let telling = tokio::spawn(output::tell(progress.subscribe()));
    let outcome = fsck::look(&arguments.scope(db.clone()), &progress).await;
    telling.abort();
    db.close().await;
    outcome
}
