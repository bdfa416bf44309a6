//! `gatelodge-sim`: up to 10,000 devices in one process, each on the agent's own state folder, outbox, delivery and
//! link, with a key and certificate of its own. All their traffic goes to the one cloud they were enrolled at.

mod arguments;
mod away;
mod connecting;
mod device;
mod enrol;
mod fleet;
mod limits;
mod numbers;
mod output;
mod report;
mod storm;

use std::process::ExitCode;

use arguments::{Arguments, Verb};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    output::log_to_stderr();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { fleet, json, verb } = arguments;
    match verb {
        Verb::Inventory(plan) => fleet::write_inventory(&fleet, &plan, json),
        Verb::Enrol(plan) => enrol::run(&fleet, &plan, json).await,
        Verb::Run(plan) => report::run(&fleet, &plan, json).await,
        Verb::Storm(plan) => storm::run(&fleet, &plan, json).await,
        Verb::Away(plan) => away::run(&fleet, &plan, json).await,
    }
}
