//! `cargo xtask demo`: the main job on this machine. Without arguments it stays until Ctrl-C; with `--check` it plays
//! the whole story without a person and exits 0 or 1.

mod check;
mod output;
mod scene;
mod stay;

use std::process::ExitCode;

use clap::Parser;

/// The main job on this machine: cloud, agent, panel, technician, all real.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-demo",
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --check\n  cargo xtask demo --database postgres://gatelodge:secret@localhost/demo\n\nExit codes: 0 done, 1 a step failed, 2 wrong usage."
)]
struct Arguments {
    /// Play the whole story without a person, tell each step with its time, and end
    #[arg(long)]
    check: bool,
    /// Use this database, which must be empty, instead of a SQLite file
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match scene::set(arguments.database).await {
        Ok(stage) if arguments.check => check::run(stage).await,
        Ok(stage) => stay::run(stage).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}
