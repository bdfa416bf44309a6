//! What people read of sessions: an installer those it asked for, a customer those on its devices.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, SessionId,
    api::{ExtensionState, SessionState, SessionView},
};

use super::{
    model::{Credential, Flow, NamedSession, Recorded},
    store::{self, Reader},
};
use crate::{
    accounts::model::{Member, OrganisationKind},
    db::{DbError, Tx},
    kits::Kits,
};

/// The longest that a reading waits for a change.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Between two looks while a reading waits.
const LOOK: Duration = Duration::from_millis(400);

/// Which sessions to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// On this device alone.
    pub device: Option<DeviceId>,
    /// Waiting and open ones alone.
    pub live: bool,
    /// Those that the member has asked for alone.
    pub own: bool,
    /// Before this one in the list.
    pub before: Option<SessionId>,
    /// How many at most.
    pub limit: i64,
}

fn reader(member: &Member) -> Option<Reader> {
    match member.kind {
        OrganisationKind::Installer => Some(Reader::Installer(member.organisation_id)),
        OrganisationKind::Customer => Some(Reader::Customer(member.organisation_id)),
        OrganisationKind::Vendor | OrganisationKind::Reseller => None,
    }
}

/// The member's sessions, the newest first.
pub async fn list(kits: &Kits, member: &Member, wanted: Wanted) -> Result<Vec<NamedSession>, DbError> {
    let Some(reader) = reader(member) else { return Ok(Vec::new()) };
    let mut tx = kits.db.read().await?;
    store::list(&mut tx, reader, &wanted, member.user_id).await
}

/// One session; `None` when there is none or it is somebody else's.
pub async fn one(kits: &Kits, member: &Member, id: SessionId) -> Result<Option<NamedSession>, DbError> {
    let Some(reader) = reader(member) else { return Ok(None) };
    let mut tx = kits.db.read().await?;
    store::named(&mut tx, reader, id).await
}

/// Which of these sessions nobody can join any more: refused, or over.
pub async fn over(kits: &Kits, sessions: &[SessionId]) -> Result<Vec<SessionId>, DbError> {
    let mut tx = kits.db.read().await?;
    let mut over = Vec::new();
    for id in sessions {
        if !store::is_live(&mut tx, *id).await? {
            over.push(*id);
        }
    }
    Ok(over)
}

/// What somebody who waits for a change knows of a session.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Where it stands.
    pub state: SessionState,
    /// What became of an extension; any when absent.
    pub extension: Option<ExtensionState>,
}

impl Known {
    fn is_so(self, view: &SessionView) -> bool {
        let extension = view.extension.map(|extension| extension.state);
        view.state == self.state && (self.extension.is_none() || extension == self.extension)
    }
}

/// One session, once it is no longer as `known`, or `patience` is over.
pub async fn once_changed(
    kits: &Kits,
    member: &Member,
    id: SessionId,
    known: Known,
    patience: Duration,
) -> Result<Option<NamedSession>, DbError> {
    let deadline = tokio::time::Instant::now() + patience.min(LONGEST_WAIT);
    loop {
        let found = one(kits, member, id).await?;
        let same = found.as_ref().is_some_and(|session| known.is_so(&session.view));
        if !same || tokio::time::Instant::now() + LOOK > deadline {
            return Ok(found);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The targets opened in a session, the newest first.
pub async fn flows(kits: &Kits, session: &SessionView) -> Result<Vec<Flow>, DbError> {
    let mut tx = kits.db.read().await?;
    store::flows(&mut tx, session.id).await
}

/// The session whose recordings this credential is for.
pub async fn recorded(tx: &mut Tx, credential: &Credential) -> Result<Option<Recorded>, DbError> {
    store::recorded(tx, credential).await
}

/// How many requests, to enter or for more time, wait for the member's word; for the bell.
pub async fn waiting(kits: &Kits, member: &Member) -> Result<u32, DbError> {
    if member.kind != OrganisationKind::Customer {
        return Ok(0);
    }
    let mut tx = kits.db.read().await?;
    store::count_waiting(&mut tx, member.organisation_id).await
}
