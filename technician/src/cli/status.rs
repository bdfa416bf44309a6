//! `status`: who is signed in on this computer, and which sessions wait or are open, on every site at once.

use std::collections::BTreeSet;

use gatelodge_proto::{SessionId, Timestamp, api::SessionView};
use serde_json::json;

use super::SignedIn;
use crate::{
    output::{Failure, Output},
    sentences,
    signed_in::SignIn,
};

pub(super) async fn status(sign_in: &SignIn, by: &SignedIn, output: Output) -> Result<(), Failure> {
    let live = by.cloud.sessions(true).await?;
    let own: BTreeSet<SessionId> = by.cloud.every_own_session().await?.iter().map(|session| session.id).collect();
    let now = by.clock.now();
    let (own, others): (Vec<_>, Vec<_>) = live.into_iter().partition(|session| own.contains(&session.id));
    output.value(&json!({
        "portal": sign_in.cloud,
        "email": sign_in.email,
        "name": sign_in.name,
        "organisation": sign_in.organisation,
        "signed_in_until": sign_in.expires_at,
        "own": own,
        "others": others,
    }));
    output.say(&sentences::signed_in_as(sign_in, now));
    if own.is_empty() && others.is_empty() {
        output.say(sentences::NO_LIVE_SESSIONS);
        return Ok(());
    }
    let rows = own.into_iter().map(|session| row(session, true, now));
    let rows = rows.chain(others.into_iter().map(|session| row(session, false, now)));
    output.table(["Device", "Technician", "State", "Until", "Reaches", "Reason", "Session"], rows.collect::<Vec<_>>());
    Ok(())
}

fn row(session: SessionView, own: bool, now: Timestamp) -> [String; 7] {
    let reaches = sentences::reaches(&session);
    let until = match session.until {
        Some(until) => sentences::when(until, now),
        None => format!("asked {}", sentences::when(session.requested_at, now)),
    };
    let who = if own { "you".to_owned() } else { session.technician };
    let reason = session.reason.unwrap_or_default();
    [
        session.device_name,
        who,
        sentences::state(session.state).to_owned(),
        until,
        reaches,
        reason,
        session.id.to_string(),
    ]
}
