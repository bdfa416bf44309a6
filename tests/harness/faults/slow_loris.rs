//! Clients that begin and never finish, on HTTP, TLS, MQTT and the relay's web socket at once, while people sign in:
//! each is thrown out, and no socket is left behind.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;

use crate::{
    cloud::{CloudSetup, TestCloud},
    settings::write_private,
    slow_loris::{SlowClient, Way},
    wait::wait_until,
};

/// Longer than any limit of the cloud on a connection that says nothing useful.
const PATIENCE: Duration = Duration::from_secs(60);
const EMAIL: &str = "vera@vendor.example";
const PASSWORD: &str = "lodge orchard lantern 41";
/// One network may sign in a hundred times an hour.
const SIGN_INS: usize = 80;

/// `clients` of them, spread over all ways. With `within`, people sign in for as long as clients hold, and all but one
/// sign-in of a hundred must be answered by then.
pub async fn play(clients: usize, within: Option<Duration>) -> anyhow::Result<String> {
    // Whichever caller comes first decides; they all choose alike.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    add_user(&cloud).await?;
    sign_in(&cloud, &browser).await?;
    let before = cloud.open_sockets()?;

    let mut slow = Vec::with_capacity(clients);
    let ways: Vec<Way> = (0..clients).map(|number| Way::ALL[number % Way::ALL.len()]).collect();
    // No more at once than the kernel's queue takes.
    for some in ways.chunks(100) {
        slow.extend(try_join_all(some.iter().map(|way| SlowClient::begin(&cloud, *way))).await?);
    }
    let held = cloud.open_sockets()?.saturating_sub(before);
    ensure!(held > clients / 2, "of {clients} the cloud holds {held}: they were too late to meet each other");
    let mut took = Vec::new();
    while took.len() < if within.is_some() { SIGN_INS } else { 4 } && slow.iter().any(SlowClient::holds) {
        took.extend(try_join_all([sign_in(&cloud, &browser), sign_in(&cloud, &browser)]).await?);
    }
    ensure!(!took.is_empty(), "nobody was slow while people signed in");
    took.sort_unstable();
    let p99 = took[(took.len() - 1) * 99 / 100];
    if let Some(within) = within {
        ensure!(p99 < within, "of {} sign-ins the p99 took {p99:?}", took.len());
    }
    try_join_all(slow.into_iter().map(|client| client.thrown_out(PATIENCE))).await?;
    drop(browser);
    let gone = async || Ok((cloud.open_sockets()? <= before).then_some(()));
    wait_until("the cloud holds no more sockets than before", PATIENCE, gone).await?;
    let log = cloud.log();
    ensure!(!log.contains("panicked") && !log.contains("ERROR"), "the cloud found a fault with itself:\n{log}");
    Ok(format!("{clients} slow clients, all thrown out; {} sign-ins meanwhile, p99 {p99:.0?}", took.len()))
}

async fn add_user(cloud: &TestCloud) -> anyhow::Result<()> {
    let file = cloud.data_dir().join("password");
    write_private(&file, PASSWORD)?;
    let file = file.display().to_string();
    cloud.run(["user", "add", "--vendor", EMAIL, "--name", "Vera", "--password-file", &file]).await?.ok()?;
    Ok(())
}

async fn sign_in(cloud: &TestCloud, browser: &reqwest::Client) -> anyhow::Result<Duration> {
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = browser.post(format!("{}/sign-in", cloud.portal()));
    let began = Instant::now();
    let answer = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .context("nobody signs in")?;
    ensure!(answer.status() == 303, "signing in is answered {}", answer.status());
    Ok(began.elapsed())
}
