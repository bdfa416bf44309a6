//! `gatelodge-fault`, run by `cargo xtask fault NAME`: the fault tests of `tests/it/faults`, played for longer.
//! Bounded: each ends by itself.

mod output;
mod scenarios;

use std::process::ExitCode;

use clap::Parser;

use scenarios::Scenario;

/// Does one fault to the real programs, for longer than the tests do; without a name, lists them.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-fault",
    after_help = "Examples:\n  cargo xtask fault\n  cargo xtask fault kill-cloud\n  cargo xtask fault kill-cloud --rounds 500 --seed 42\n\nExit codes: 0 nothing was lost, 1 something was, 2 wrong usage."
)]
struct Arguments {
    /// Which fault
    #[arg(value_enum)]
    name: Option<Scenario>,
    /// How often it is done, or to how many; each fault has a number of its own
    #[arg(long)]
    rounds: Option<u32>,
    /// Repeats the moments of an earlier run; drawn and printed when not given
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(scenario) = arguments.name else {
        output::say(&scenarios::list());
        return ExitCode::SUCCESS;
    };
    match scenario.play(arguments.rounds, arguments.seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}
