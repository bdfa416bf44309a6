//! Who may come in: HELLO, its ticket, and a seat. A leg that is not admitted has no seat and hears why.

use futures_util::StreamExt as _;
use gatelodge_proto::{
    SessionId,
    payload::EndReason,
    session::{
        Role, VERSION,
        relay_frame::{Hello, PeerLoss, RelayError, RelayFrame},
    },
};
use tokio::time::{Instant, timeout};

use super::{
    Entry, Refusal, Relay, Report,
    cause::Cause,
    keeper::keep,
    room::{End, Guest, Place},
    socket::{Arrived, Inward},
};

/// Who has come in.
pub(super) struct Entered {
    pub(super) role: Role,
    pub(super) session: SessionId,
    pub(super) place: Place,
}

/// Admits a leg; without a refusal it is gone before it said who it is.
pub(super) async fn enter(relay: &Relay, source: &mut impl Inward) -> Result<Entered, Option<Refusal>> {
    let settings = &relay.0.settings;
    let Ok(hello) = timeout(settings.hello_within, hello(source)).await else { return Err(None) };
    let hello = hello.map_err(|code| code.map(Refusal::from))?;
    let Hello { version, role, ticket, resume, pledge, .. } = hello;
    if !(1..=VERSION).contains(&version) {
        return Err(Some(RelayError::Version.into()));
    }
    let again = resume.is_some();
    let entry = if again { Entry::Again { secret: ticket } } else { Entry::First { ticket } };
    let admitted = relay.0.admission.admit(entry, role).await.map_err(Some)?;
    let session = admitted.session;
    let end = End { at: Instant::now() + admitted.lifetime, until: admitted.until };
    let guest = Guest { session, role, version, again, carried: admitted.carried, end, limits: admitted.limits };
    let mut place = relay.0.rooms.join(guest, settings.max_sessions).map_err(|code| Some(code.into()))?;
    // Whoever closes the relay lets go of what is in its rooms, and may have looked just before.
    if relay.0.closing.is_cancelled() {
        if !relay.let_go(session) {
            relay.revoke(session, EndReason::RelayLost);
        }
        return Err(Some(RelayError::Unavailable.into()));
    }
    if let Some(presence) = place.opened.take() {
        relay.0.under_way.spawn(keep(relay.clone(), session, place.room, admitted.begun, presence));
    }
    let joined = Report::Joined { session, role, again, pledge: pledge.filter(|_| !again) };
    if let Err(error) = relay.0.admission.report(joined).await {
        tracing::warn!(%session, role = role.word(), %error, "a leg is not taken in");
        leave(relay, session, role, &place);
        return Err(Some(RelayError::Unavailable.into()));
    }
    Ok(Entered { role, session, place })
}

/// A leg is gone without a word; where it cannot come again, the session is over.
pub(super) fn leave(relay: &Relay, session: SessionId, role: Role, place: &Place) {
    if !relay.0.rooms.depart(session, role, place.leg) {
        relay.end(session, Some(place.room), Cause::Gone(role, PeerLoss::Lost));
    }
}

async fn hello(source: &mut impl Inward) -> Result<Hello, Option<RelayError>> {
    loop {
        match source.next().await {
            Some(Arrived::Frame(message)) => match RelayFrame::decode(message) {
                Ok(Some(RelayFrame::Hello(hello))) => return Ok(hello),
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err(Some(RelayError::Protocol)),
            },
            Some(Arrived::Foreign) => return Err(Some(RelayError::Protocol)),
            Some(Arrived::Closed | Arrived::Lost) | None => return Err(None),
        }
    }
}
