//! The one door to the repository: `cargo xtask lint | test | demo | bench | fault | dist`. Never part of a shipped program.

mod bench;
mod command;
mod demo;
mod dist;
mod fault;
mod lint;
mod output;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
Examples:
  cargo xtask demo                  run the main job on this machine, until Ctrl-C
  cargo xtask demo --check          the same story without a person; exits 0 or 1
  cargo xtask test                  everything CI tests, installing what is missing when it may
  cargo xtask test story            only the tests whose name contains `story`

Usage: cargo xtask <task> [arguments]

Tasks:
  lint                              format, clippy, and the repository's own quick checks
  test [cargo test arguments]       find or install PostgreSQL, Chromium, Mosquitto; build; test
  demo [--check] [--database URL]   build, then run the demo
  bench [--json FILE]               measure agent and sessions; one JSON row each
  bench fleet [--quick] [--devices N] [--json FILE]
                                    the same, and what one cloud carries of a simulated fleet
  fault [NAME]                      list the fault tests, or play one for longer than `test` does
  dist [TARGET...]                  what a device and a server carry, as .tar.gz and .deb in target/dist/

Exit codes: 0 done, 1 something failed (the last lines say what), 2 the command line was not understood.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("--help", &[][..]),
    };
    let done = match task {
        "--help" | "-h" | "help" => {
            output::text(HELP);
            Ok(())
        }
        "lint" => lint::run(rest),
        "test" => test::run(rest),
        "demo" => demo::run(rest),
        "bench" => bench::run(rest),
        "dist" => dist::run(rest),
        "fault" => fault::run(rest),
        unknown => {
            output::failure(&format!("`{unknown}` is no task; see cargo xtask --help"));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
