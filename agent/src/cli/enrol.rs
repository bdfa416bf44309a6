//! `enrol`: in the foreground, once.

use std::process::ExitCode;

use gatelodge_proto::{Random, link::Pace};

use super::{
    log_to_stderr, runtime,
    term::{Failure, field, say},
};
use crate::{
    clock::Clock,
    cloud::CloudClient,
    config::Config,
    enrol::{self, Outcome, Surroundings},
    identity::{self, Identity},
    state::{Holding, PrivateKey, StateDir},
    status::{Board, sentence},
};

pub(super) fn enrol(config: &Config) -> Result<ExitCode, Failure> {
    log_to_stderr();
    let identity =
        identity::read(&config.identity).map_err(|error| Failure::new(error.to_string(), error.next_step()))?;
    let state =
        StateDir::open(&config.state_dir).map_err(|error| Failure::new(error.to_string(), error.next_step()))?;
    let damaged = |error: crate::state::StateError| Failure::new(error.to_string(), error.next_step());
    let key = match state.holding().map_err(damaged)? {
        Some(Holding::Enrolled { credentials, .. }) => {
            say("Enrolled already.");
            field("device", credentials.device);
            return Ok(ExitCode::SUCCESS);
        }
        Some(Holding::Retired) => {
            return Err(Failure::new("this device is retired and cannot be enrolled again", "ask the vendor"));
        }
        Some(Holding::Key { key }) => key,
        None => {
            let key = PrivateKey::make().map_err(|error| damaged(error.into()))?;
            state.hold(&Holding::Key { key: key.clone() }).map_err(damaged)?;
            key
        }
    };
    let credentials = match runtime()?.block_on(ask(config, &identity, &key))? {
        Outcome::Enrolled(credentials) => credentials,
        Outcome::KeyOver => {
            return Err(Failure::new("the cloud does not accept this key any more", "gatelodge-agent reset"));
        }
        Outcome::Retired => {
            state.hold(&Holding::Retired).map_err(damaged)?;
            return Err(Failure::new("this device is retired and cannot be enrolled again", "ask the vendor"));
        }
    };
    let device = credentials.device;
    state.hold(&Holding::Enrolled { key, credentials }).map_err(damaged)?;
    say("Enrolled.");
    field("device", device);
    Ok(ExitCode::SUCCESS)
}

async fn ask(config: &Config, identity: &Identity, key: &PrivateKey) -> Result<Outcome, Failure> {
    let (clock, random) = (Clock::system(), Random::system());
    let board = Board::new(identity, config, clock.now());
    let cloud = CloudClient::new(&config.cloud, &clock)
        .map_err(|error| Failure::new(error.to_string(), "check cloud.url and cloud.ca_file"))?;
    let pace = Pace { first: config.link.first_retry(), ..Pace::default() };
    let around = Surroundings {
        cloud: &cloud,
        identity,
        method: config.enrolment.method,
        pace,
        board: &board,
        clock: &clock,
        random: &random,
    };
    tokio::select! {
        outcome = enrol::enrol(around, key) => {
            outcome.map_err(|error| Failure::new(error.to_string(), "gatelodge-agent reset makes a new key"))
        }
        () = tell_codes(&board) => Err(Failure::new("the agent stopped by itself", "start it again")),
    }
}

/// Prints each new code and each new wait; never ends.
async fn tell_codes(board: &Board) {
    let mut changes = board.subscribe();
    let mut told = (None, String::new());
    loop {
        let status = board.status();
        let code = status.on_site_code.as_ref().map(|shown| shown.code.clone());
        let line = sentence(&status);
        if told != (code.clone(), line.clone()) {
            say(&line);
            if let Some(code) = &code {
                field("on-site code", code);
            }
            told = (code, line);
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
