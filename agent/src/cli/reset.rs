//! `reset`: forgets the owner and makes a new key. Whoever can do this could also exchange the disk.

use std::process::ExitCode;

use super::term::{Failure, ask, field, say};
use crate::{
    audit::Audit,
    clock::Clock,
    config::Config,
    outbox::Outbox,
    state::{Holding, PrivateKey, StateDir},
};

pub(super) fn reset(config: &Config, yes: bool) -> Result<ExitCode, Failure> {
    let failed = |error: crate::state::StateError| Failure::new(error.to_string(), error.next_step());
    let state = StateDir::open(&config.state_dir).map_err(failed)?;
    if !yes {
        say("This device will forget its owner and its certificate, and the customer's key if one is pinned.");
        say("It must then be enrolled and registered again; the customer loses access until then.");
        if !matches!(ask("Type yes to go on:").as_str(), "yes" | "Yes" | "YES") {
            say("Nothing was changed.");
            return Ok(ExitCode::SUCCESS);
        }
    }
    state.forget_owner().map_err(failed)?;
    state.forget_consent().map_err(failed)?;
    Outbox::open(state.path())
        .and_then(|mut outbox| outbox.clear())
        .map_err(|error| Failure::new(format!("the outbox cannot be emptied: {error}"), "check the state folder"))?;
    Audit::open(state.path()).and_then(|mut audit| audit.forget(Clock::system().now())).map_err(|error| {
        Failure::new(format!("the record of sessions cannot be erased: {error}"), "check the state folder")
    })?;
    let key = PrivateKey::make().map_err(|error| failed(error.into()))?;
    state.hold(&Holding::Key { key }).map_err(failed)?;
    say("Reset. This device has a new key and no owner.");
    field("next", "gatelodge-agent run enrols it anew");
    Ok(ExitCode::SUCCESS)
}
