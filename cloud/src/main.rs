//! `gatelodge-cloud`: see `gatelodge_cloud::cli` for what it can do.

use std::process::ExitCode;

use clap::Parser as _;
use gatelodge_cloud::cli::{self, Cli};

fn main() -> ExitCode {
    // Both providers are linked (the MQTT endpoint brings one, PostgreSQL's client the other), so one must be chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return cli::failed(&anyhow::anyhow!("a second TLS provider was installed before the program's own"));
    }
    let cli = Cli::parse();
    let turns = gatelodge_proto::session::TURNS_BETWEEN_LOOKS;
    let runtime = match tokio::runtime::Builder::new_multi_thread().event_interval(turns).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return cli::failed(&anyhow::Error::new(error).context("the program could not start its threads"));
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => cli::failed(&error),
    }
}
