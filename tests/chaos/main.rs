//! `gatelodge-chaos`: a bad network on demand, for tests and for operators who want to see how their fleet bears one.

mod arguments;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use gatelodge_tests::chaos::Chaos;

use arguments::Arguments;

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
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let setup = arguments.setup()?;
    let (to, seed, what) = (setup.to.clone(), setup.seed, setup.faults.to_string());
    let mut chaos = Chaos::start(setup).await?;
    output::say(&format!("listening on {}, passing on to {to}, {what}, seed {seed}; Ctrl-C ends it", chaos.address()));
    tokio::select! {
        () = chaos.ended() => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    let counts = chaos.counts();
    output::say(&format!(
        "{} connections, {} reset; {} messages came twice, {} came late",
        counts.connections(),
        counts.resets(),
        counts.duplicated(),
        counts.reordered(),
    ));
    Ok(())
}
