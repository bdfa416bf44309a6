//! `gatelodge-bench`, run by `cargo xtask bench`: the agent at rest and bytes through a session, measured on the
//! programs as they are shipped. Prints one JSON object a row: `{id, value, unit, peer?, ratio?}`.

mod measure;
mod output;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
};

/// Measures the agent at rest and bytes through a session.
#[derive(Debug, Parser)]
#[command(name = "gatelodge-bench", after_help = "Example:\n  cargo xtask bench --out target/bench.jsonl")]
struct Arguments {
    /// The agent as it is shipped
    #[arg(long, value_name = "FILE")]
    agent: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let agent = AgentSetup { program: Some(arguments.agent), ..AgentSetup::default() };
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    for row in measure::at_rest(&stage).await? {
        output::row(&row);
    }
    story::sign_in_technician(&mut stage).await?;
    output::row(&measure::forward_vs_loopback(&mut stage).await?);
    Ok(())
}
