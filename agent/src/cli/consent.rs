//! `consent`: the customer's hold over this device, for devices without a screen. It asks the running agent's own page and
//! presses its buttons.

use std::{net::SocketAddr, process::ExitCode};

use clap::Subcommand;
use gatelodge_proto::consent::Challenge;

use super::{
    page,
    term::{Failure, ask, field, say},
};
use crate::{
    config::Config,
    status::{ConsentShown, Status, WantedShown},
};

#[derive(Debug, Subcommand)]
pub(super) enum Wish {
    /// Let in whoever asks; without --request the only one who does
    Allow {
        /// Which request, by the first characters of its number
        #[arg(long)]
        request: Option<String>,
    },
    /// Let nobody in who asks; without --request the only one who does
    Refuse {
        /// Which request, by the first characters of its number
        #[arg(long)]
        request: Option<String>,
    },
    /// Pin the key that the portal offers, when its digits are those that the portal shows
    PinKey {
        /// Do not ask: these are the digits that the portal shows
        #[arg(long, value_name = "DIGITS")]
        digits: Option<String>,
    },
    /// Do not pin the key that the portal offers
    DeclineKey,
    /// Take back every standing rule that the key has signed
    TakeBackRules,
    /// Remove the pinned key; the portal is told
    RemoveKey {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn consent(config: &Config, wish: Option<Wish>) -> Result<ExitCode, Failure> {
    let listen = config.local_page.listen;
    let status = read(listen)?;
    let shown = &status.consent;
    let (path, body) = match wish {
        None => {
            show(&status);
            return Ok(ExitCode::SUCCESS);
        }
        Some(Wish::Allow { request }) => ("/consent/allow", format!("draft={}", one(shown, request.as_deref())?)),
        Some(Wish::Refuse { request }) => ("/consent/refuse", format!("draft={}", one(shown, request.as_deref())?)),
        Some(Wish::PinKey { digits }) => {
            let offered = offered(shown)?;
            let typed = digits.unwrap_or_else(|| {
                say(&offered);
                ask("Type the digits that the portal shows:")
            });
            let plain = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            if plain(&typed) != plain(&offered) {
                let what = "the digits are not those of the key that is offered: it is not pinned";
                return Err(Failure::new(what, "offer the key again from the portal, and compare once more"));
            }
            ("/key/confirm", format!("fingerprint={}", offered.replace(' ', "+")))
        }
        Some(Wish::DeclineKey) => ("/key/decline", format!("fingerprint={}", offered(shown)?.replace(' ', "+"))),
        Some(Wish::TakeBackRules) => ("/rules/take-back", String::new()),
        Some(Wish::RemoveKey { yes }) => {
            let none =
                || Failure::new("no key is pinned on this device", "gatelodge-agent consent shows how it stands");
            let pinned = shown.pinned.as_ref().ok_or_else(none)?;
            if !yes {
                say(
                    "From then on the portal's word alone lets technicians in; its history shows that the key is gone.",
                );
                if !matches!(ask("Type yes to remove the key:").as_str(), "yes" | "Yes" | "YES") {
                    say("Nothing was changed.");
                    return Ok(ExitCode::SUCCESS);
                }
            }
            ("/key/forget", format!("pin={}", pinned.pin))
        }
    };
    page::press(listen, path, &body).map_err(|error| {
        Failure::new(format!("the agent did not take it: {error}"), "gatelodge-agent consent shows how it stands")
    })?;
    say("Done.");
    Ok(ExitCode::SUCCESS)
}

fn read(listen: SocketAddr) -> Result<Status, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            format!("the agent does not answer on {listen}: {error}"),
            "gatelodge-agent run, or systemctl start gatelodge-agent",
        )
    };
    let body = page::get(listen, "/status.json").map_err(|error| failed(&error))?;
    serde_json::from_str(&body).map_err(|error| failed(&error))
}

fn offered(shown: &ConsentShown) -> Result<String, Failure> {
    let none = || Failure::new("the portal offers no key to this device", "choose Pin to the device in the portal");
    shown.offered.as_ref().map(|offer| offer.fingerprint.clone()).ok_or_else(none)
}

/// The request that is meant; never a guess between two.
fn one(shown: &ConsentShown, named: Option<&str>) -> Result<Challenge, Failure> {
    let is_meant = |wanted: &&WantedShown| named.is_none_or(|named| wanted.draft.to_string().starts_with(named));
    let mut meant = shown.wanted.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(wanted), None) => Ok(wanted.draft),
        (Some(_), Some(_)) => {
            Err(Failure::new("more than one request waits", "say which: gatelodge-agent consent lists them"))
        }
        (None, _) => Err(Failure::new("no such request waits", "gatelodge-agent consent lists what waits")),
    }
}

fn show(status: &Status) {
    let shown = &status.consent;
    match &shown.pinned {
        Some(pinned) => {
            say("The customer's key is pinned: nobody enters without its signature, or a press on this device.");
            field("key", &pinned.fingerprint);
            field("site", &pinned.site);
            field("since", pinned.since);
        }
        None => say("No key is pinned: consent is the portal's word, and this device's own switch."),
    }
    if let Some(offer) = &shown.offered {
        say(
            "A key is offered. Compare its digits with those that the portal shows, then: gatelodge-agent consent pin-key",
        );
        field("key", &offer.fingerprint);
        field("site", &offer.site);
    }
    for wanted in &shown.wanted {
        let asks = if wanted.longer { "asks to stay longer" } else { "asks to enter" };
        say(format!("{} ({}) {asks}.", wanted.technician, wanted.organisation));
        field("request", wanted.draft.to_string().get(..8).unwrap_or_default());
        field("reaches", wanted.reaches.join(", "));
        field("length", format!("{} min", wanted.minutes));
        if let Some(reason) = &wanted.reason {
            field("reason", reason);
        }
    }
    for session in &status.sessions {
        field("session", format!("{} ({}) until {}", session.technician, session.organisation, session.until));
        field("by", words(session.consent_kind));
    }
}

/// For people at a command line.
pub(super) const fn words(kind: gatelodge_proto::consent::ConsentKind) -> &'static str {
    use gatelodge_proto::consent::ConsentKind as Kind;
    match kind {
        Kind::Cloud => "the portal's word",
        Kind::Passkey => "the customer's passkey",
        Kind::StandingRule => "a standing rule that the customer's passkey has signed",
        Kind::BreakGlass => "the customer's rule for emergencies, signed by the passkey",
        Kind::Pressed => "a press on this device",
    }
}
