//! `sign-in`: a code here, a person with a browser there (RFC 8628).

use std::{path::PathBuf, process::Stdio, time::Duration};

use clap::Args;
use gatelodge_proto::api::{SignInStarted, SignedIn};
use serde_json::json;
use url::Url;

use super::{Portal, proxy_to, trust};
use crate::{
    cloud::{Cloud, CloudError},
    output::{Exit, Failure, Output},
    sentences,
    signed_in::{Keep, SignIn},
    way::Way,
};

/// How much slower to ask when the portal says so (RFC 8628 section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct SignInArguments {
    /// The portal's address; the one before when left out
    #[arg(value_name = "URL", conflicts_with = "cloud")]
    address: Option<Url>,
    #[command(flatten)]
    portal: Portal,
    /// The HTTP proxy on the way to the portal and to sessions, or `none` for no proxy whatever the environment says;
    /// kept until sign-out. Without it the environment's HTTPS_PROXY and NO_PROXY hold
    #[arg(long, env = "GATELODGE_PROXY", hide_env_values = true, value_name = "http://[NAME:PASSWORD@]HOST:PORT|none")]
    proxy: Option<Way>,
    /// Open the address in this computer's browser
    #[arg(long)]
    open: bool,
}

pub(super) async fn sign_in(arguments: SignInArguments, keep: &Keep, output: Output) -> Result<(), Failure> {
    let (url, ca_file, kept) = place(arguments.address, arguments.portal, keep)?;
    let way = arguments.proxy.or(kept);
    let proxy = proxy_to(&url, way.as_ref())?;
    let cloud = Cloud::new(url.clone(), None, trust(ca_file.as_deref())?, proxy);
    let started = cloud.start_sign_in().await?;
    show(&started, output);
    if arguments.open {
        open_browser(&started.verification_uri_complete, output);
    }
    let answer = confirmed(&cloud, &started).await?;
    let kept = SignIn::of(answer, url, ca_file, way);
    keep.save(&kept)?;
    output.say(&sentences::signed_in(&kept.name, &kept.email, &kept.organisation));
    output.value(&json!({
        "event": "signed_in",
        "email": kept.email,
        "name": kept.name,
        "organisation": kept.organisation,
        "expires_at": kept.expires_at,
    }));
    Ok(())
}

/// Where to sign in: as said now, else as last time.
fn place(address: Option<Url>, portal: Portal, keep: &Keep) -> Result<(Url, Option<PathBuf>, Option<Way>), Failure> {
    // A file that cannot be used any more is no reason not to sign in anew.
    let before = keep.load().ok().flatten();
    let url = address
        .or(portal.cloud)
        .or_else(|| before.as_ref().map(|kept| kept.cloud.clone()))
        .ok_or_else(|| Failure::new(Exit::Usage, sentences::NO_CLOUD, sentences::NEXT_SIGN_IN))?;
    let same = before.filter(|kept| kept.cloud.origin() == url.origin());
    let (file, way) = same.map(|kept| (kept.ca_file, kept.way)).unwrap_or_default();
    let ca_file = portal.ca_file.or(file);
    // A token must not travel in the open; on this machine alone nobody listens.
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure || url.host_str().is_none() {
        let what = format!("`{url}` is not the address of a portal; it starts with https://");
        return Err(Failure::new(Exit::Usage, what, sentences::NEXT_SIGN_IN));
    }
    let ca_file = ca_file.map(|file| std::path::absolute(&file).unwrap_or(file));
    Ok((url, ca_file, way))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn show(started: &SignInStarted, output: Output) {
    let address = &started.verification_uri_complete;
    output.say(&sentences::confirm_in_browser(address, &started.user_code, started.expires_in.div_ceil(60)));
    output.value(&json!({
        "event": "sign_in_started",
        "verification_uri": started.verification_uri,
        "verification_uri_complete": address,
        "user_code": started.user_code,
        "expires_in": started.expires_in,
    }));
}

fn open_browser(address: &str, output: Output) {
    let opened = std::process::Command::new("xdg-open")
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = opened {
        output.note(&format!("no browser could be opened here ({error}); open the address yourself"));
    }
}

/// Asks until the person has confirmed, refused, or let the code lapse.
async fn confirmed(cloud: &Cloud, started: &SignInStarted) -> Result<SignedIn, Failure> {
    let refused = |what: &str| Failure::new(Exit::Refused, what, sentences::NEXT_SIGN_IN_AGAIN);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(u64::from(started.expires_in));
    let mut interval = Duration::from_secs(u64::from(started.interval.max(1)));
    loop {
        tokio::time::sleep(interval).await;
        let problem = match cloud.poll_sign_in(&started.device_code).await {
            Ok(answer) => return Ok(answer),
            Err(CloudError::Refused(problem)) => problem,
            // The network may come back before the code lapses.
            Err(CloudError::Unreachable { .. }) if tokio::time::Instant::now() < deadline => continue,
            Err(error) => return Err(error.into()),
        };
        match problem.code.as_str() {
            "authorization_pending" => {}
            "slow_down" => interval += SLOWER,
            "access_denied" => return Err(refused(sentences::SIGN_IN_DENIED)),
            "expired_token" => return Err(refused(sentences::SIGN_IN_LATE)),
            _ => return Err(CloudError::Refused(problem).into()),
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(refused(sentences::SIGN_IN_LATE));
        }
    }
}
