//! Small verbs of the vendor's operator: batches and users.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use gatelodge_proto::{Random, identity::EmailAddress};

use super::{DataDir, term};
use crate::{
    accounts::{
        second_factor,
        service::{FirstPassword, create_vendor},
    },
    clock::Clock,
    config::Config,
    i18n::Language,
    kits::Kits,
    pki::{Names, Pki, read_secret_file},
    render::paths,
    wiring,
};

pub(super) async fn open(config: Config) -> anyhow::Result<Kits> {
    DataDir::make(&config.data_dir)?;
    Ok(wiring::open_kits(config, Clock::system(), Random::system()).await?)
}

pub(super) fn make_batch(config: &Config, name: &str) -> anyhow::Result<ExitCode> {
    DataDir::make(&config.data_dir)?;
    let pki = Pki::open(&config.data_dir, &Clock::system(), &Random::system(), &Names::from_config(config))?;
    let file = pki.make_batch(name)?;
    term::say(&format!(
        "The key of batch {name} is in {}.\nBring it to the factory on a safe way; whoever has it can enrol any device of this batch.",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn add_vendor(
    config: Config,
    email: &str,
    name: &str,
    password_file: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let email: EmailAddress = email.parse()?;
    let password = password_file.map(read_secret_file).transpose().context("the password file cannot be used")?;
    let kits = open(config).await?;
    let first = password.as_ref().map_or(FirstPassword::Link, |text| FirstPassword::Given(text.trim_end()));
    let link = create_vendor(&kits, &email, name, Language::En, first).await?;
    match link {
        None => term::say(&format!("{email} is an administrator of the vendor now and can sign in.")),
        Some(secret) => term::say(&format!(
            "{email} is an administrator of the vendor now. Open this once within 30 minutes to set the password:\n{}{}#{}",
            kits.config.public_url.as_str().trim_end_matches('/'),
            paths::SET_PASSWORD,
            secret.expose()
        )),
    }
    kits.db.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn remove_second_factor(config: Config, email: &str) -> anyhow::Result<ExitCode> {
    let email: EmailAddress = email.parse()?;
    let kits = open(config).await?;
    let known = second_factor::remove_all(&kits, &email).await?;
    kits.db.close().await;
    anyhow::ensure!(known, "there is no user {email}; look at how the address is written");
    term::say(&format!(
        "{email} signs in with the password alone now, and is told so by mail. Ask them to set up a new second factor."
    ));
    Ok(ExitCode::SUCCESS)
}
