//! `gatelodge-bench`, run by `cargo xtask bench`: the agent at rest and bytes through a session, and with `fleet` also
//! what one cloud carries, with `sessions` what a session costs beside other tunnels, measured on the programs as they
//! are shipped. Prints one JSON object a row: `{id, value, unit, peer?, ratio?}`.

mod arguments;
mod fleet;
mod measure;
mod output;
mod peers;
mod sessions;

use std::{path::Path, process::ExitCode};

use arguments::{Arguments, What};
use clap::Parser as _;
use gatelodge_tests::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, Mails, Stage},
};

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match &arguments.what {
        Some(What::Load { at }) => return sessions::serve_load(*at).await,
        Some(What::Relay { folder }) => return sessions::serve_relay(folder).await,
        Some(What::Sessions(wanted)) => return sessions::measure(arguments.agent()?, wanted).await,
        Some(What::Fleet(size)) => fleet::measure(size).await?,
        None => {}
    }
    agent_and_session(arguments.agent()?).await
}

async fn agent_and_session(program: &Path) -> anyhow::Result<()> {
    output::progress("an agent at rest");
    let folder = tempfile::tempdir()?;
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let agent = AgentSetup { program: Some(program.to_owned()), ..AgentSetup::default() };
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
    story::play_until(&mut stage, 4, |_| {}).await?;
    measure::at_rest(&stage).await?.iter().for_each(output::row);
    output::progress("bytes through a session");
    story::sign_in_technician(&mut stage).await?;
    output::row(&measure::forward_vs_loopback(&mut stage).await?);
    Ok(())
}
