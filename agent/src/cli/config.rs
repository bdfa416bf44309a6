//! `config`: says whether the settings are good, or prints them all.

use std::{path::Path, process::ExitCode};

use super::{
    environment, refused,
    term::{Failure, field, say},
};
use crate::config;

pub(super) fn config(file: Option<&Path>, print_default: bool) -> Result<ExitCode, Failure> {
    if print_default {
        say(config::print_default().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let settings = config::read(file, environment()).map_err(|error| refused(&error))?;
    say("The settings are good.");
    field("from", file.map_or_else(|| "the environment".to_owned(), |file| file.display().to_string()));
    field("cloud", &settings.cloud.url);
    field("state", settings.state_dir.display());
    field("local page", format!("http://{}/", settings.local_page.listen));
    Ok(ExitCode::SUCCESS)
}
