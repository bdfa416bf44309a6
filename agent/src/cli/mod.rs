//! The command line: one verb, one file. Exit codes: 0 done, 1 it did not work, 2 wrong usage, 3 the agent is not running.

mod check;
mod config;
mod consent;
mod enrol;
mod history;
mod page;
mod reset;
mod run;
mod status;
mod term;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config::{Config, DEFAULT_FILE, NEXT_STEP, SettingsError};
use term::Failure;

/// Runs on the device: reports who it is and carries out what its cloud asks, within the device's own rules.
#[derive(Debug, Parser)]
#[command(
    name = "gatelodge-agent",
    version,
    after_help = "Example:\n  gatelodge-agent --config /etc/gatelodge/agent.toml run"
)]
struct Arguments {
    /// Settings file; /etc/gatelodge/agent.toml when it exists and nothing else is said
    #[arg(long, global = true, env = "GATELODGE_AGENT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the agent until it is stopped
    Run,
    /// Get the first certificate and stop; `run` does it by itself, too
    Enrol,
    /// Show how the device stands
    #[command(after_help = "Example:\n  gatelodge-agent status --json")]
    Status {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Show who was let in to this device, what they opened and when they left; kept here, out of the cloud's reach
    #[command(after_help = "Example:\n  gatelodge-agent history --csv > visits.csv")]
    History {
        /// One JSON value a line, with the hashes that hold each entry to the one before
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// For spreadsheets
        #[arg(long)]
        csv: bool,
    },
    /// Show whose word lets somebody in; answer requests, pin or remove the customer's key
    #[command(after_help = "Example:\n  gatelodge-agent consent allow")]
    Consent {
        #[command(subcommand)]
        wish: Option<consent::Wish>,
    },
    /// Check every step from the settings to the cloud, and say what to do
    Doctor,
    /// Forget owner and certificate, make a new key; the device must be enrolled and registered anew
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Check the settings, or print them all
    #[command(after_help = "Example:\n  gatelodge-agent config --print-default > agent.toml")]
    Config {
        /// Print every key with its default and its meaning
        #[arg(long)]
        print_default: bool,
    },
    /// Carry out one session order from standard input; the agent starts this by itself
    #[command(hide = true)]
    Session {
        /// Where the agent comes to
        #[arg(long)]
        socket: PathBuf,
    },
    /// Give up every right and run a program in a terminal; a session starts this by itself
    #[command(hide = true)]
    InTerminal(crate::session::InTerminal),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(code) => code,
        Err(failure) => {
            term::fail(&failure);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let file = arguments.config.or_else(default_file);
    match arguments.verb {
        Verb::Run => run::run(settings(file.as_deref())?),
        Verb::Enrol => enrol::enrol(&settings(file.as_deref())?),
        Verb::Status { json } => status::status(&settings(file.as_deref())?, json),
        Verb::History { json, csv } => {
            let shape = match (json, csv) {
                (true, _) => history::Shape::Json,
                (false, true) => history::Shape::Csv,
                (false, false) => history::Shape::Text,
            };
            history::history(&settings(file.as_deref())?, shape)
        }
        Verb::Consent { wish } => consent::consent(&settings(file.as_deref())?, wish),
        Verb::Doctor => check::doctor(file.as_deref()),
        Verb::Reset { yes } => reset::reset(&settings(file.as_deref())?, yes),
        Verb::Config { print_default } => config::config(file.as_deref(), print_default),
        Verb::InTerminal(arguments) => in_terminal(arguments),
        Verb::Session { socket } => {
            log_to_stderr();
            crate::session::process::main(&socket)
                .map_err(|error| Failure::new(error.to_string(), "look at the agent's log"))
        }
    }
}

fn in_terminal(arguments: crate::session::InTerminal) -> Result<ExitCode, Failure> {
    match arguments.run() {
        Ok(never) => match never {},
        Err(error) => Err(Failure::new(error.to_string(), "look at the device's terminal settings")),
    }
}

fn default_file() -> Option<PathBuf> {
    let path = PathBuf::from(DEFAULT_FILE);
    path.exists().then_some(path)
}

fn settings(file: Option<&Path>) -> Result<Config, Failure> {
    crate::config::read(file, environment()).map_err(|error| refused(&error))
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn refused(error: &SettingsError) -> Failure {
    Failure::new(error.to_string(), NEXT_STEP)
}

/// One thread is enough for a device, and keeps it small.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the agent cannot start: {error}"), "check the limits of this user"))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GATELODGE_AGENT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}
