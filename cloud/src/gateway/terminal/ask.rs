//! Asking for a terminal, and letting a browser come to it. Decides nothing: requests are answered as those of a
//! technician's program are.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{SessionId, api::SessionState, payload::Feature, session::inner_frame::Size, web::EntryTicket};

use super::live::{Outcome, Stage, Terminal};
use crate::{
    accounts::{By, SignedIn, rights::InstallerMember},
    gateway::{
        Gateway, OnDrop,
        open::{AskRefusal, REMEMBERED},
        visit::SessionKey,
        wish::Wish,
    },
    sessions::{
        join::{self, JoinRefusal},
        request::{self, Asked},
        service as sessions,
    },
};
use tokio::sync::OwnedSemaphorePermit;

/// Longest wait for the device; the page gives up at 30 seconds.
const MEETS_WITHIN: Duration = Duration::from_secs(25);

/// Why nobody comes to a terminal.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotIn {
    /// There is none, or it is somebody else's: both look the same. Also one whose key went with a restart.
    #[error("there is no such terminal among yours")]
    Unknown,
    /// A program has no browser.
    #[error("a terminal of the portal is opened in a browser; use gatelodge shell")]
    NoBrowser,
    /// The session is over, or not allowed yet.
    #[error(transparent)]
    Join(#[from] JoinRefusal),
    /// It is over.
    #[error("the terminal is over ({0:?})")]
    Over(Outcome),
    /// The device did not come.
    #[error("the device does not answer; is it online?")]
    Silent,
}

impl Gateway {
    /// Asks for a terminal in the technician's name.
    pub(super) async fn ask_terminal(&self, by: &InstallerMember, wish: Wish) -> Result<SessionId, AskRefusal> {
        let kits = &self.0.kits;
        let room = self.room_for_terminal().await?;
        let key = SessionKey::make()?;
        let from = wish.from.clone();
        let request = wish.request(Vec::new(), vec![Feature::Terminal, Feature::Web], key.csr()?);
        let view = request::request(kits, by, Asked::from_network(request, from)).await?.view;
        // Of one that a rule refused the page tells what the portal knows anyway.
        if matches!(view.state, SessionState::Waiting | SessionState::Open) {
            let terminal = Terminal::new((view.id, by.member()), key, room);
            self.terminals().insert(view.id, Arc::new(terminal));
        }
        Ok(view.id)
    }

    /// Gives this browser a ticket for the terminal, which it begins where nobody has yet.
    pub(super) async fn enter_terminal(
        &self,
        by: &InstallerMember,
        id: SessionId,
        size: Size,
    ) -> Result<EntryTicket, NotIn> {
        let By::Browser { id: browser, .. } = by.signed_in().by() else { return Err(NotIn::NoBrowser) };
        let terminal = self.terminal(by.signed_in(), id).ok_or(NotIn::Unknown)?;
        let kits = &self.0.kits;
        if terminal.sets_out() {
            let back = OnDrop::new(|| terminal.comes_back());
            match join::join(kits, by, id).await {
                Ok(join) => {
                    back.let_off();
                    let relay = self.0.relay.clone();
                    tokio::spawn(terminal.clone().carry(join, size, relay, kits.clone()));
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let mut stages = terminal.stages();
        let settled = |stage: &Stage| matches!(stage, Stage::Inside | Stage::Over(..));
        let stage = tokio::time::timeout(MEETS_WITHIN, stages.wait_for(settled)).await;
        match stage.map(|stage| stage.map(|stage| stage.clone())) {
            Ok(Ok(Stage::Over(outcome, _))) => Err(NotIn::Over(outcome)),
            Ok(Ok(Stage::Asked | Stage::Joining | Stage::Inside)) => {
                Ok(terminal.issue(*browser, kits.now(), &kits.random))
            }
            Ok(Err(_)) | Err(_) => Err(NotIn::Silent),
        }
    }

    /// This person's terminal, while its key is here.
    pub(super) fn terminal(&self, by: &SignedIn, id: SessionId) -> Option<Arc<Terminal>> {
        self.terminals().get(&id).filter(|terminal| terminal.owner == by.member().into()).cloned()
    }

    /// A place for one more terminal. Lets go of those whose end everybody had time to read, and of those whose session
    /// was over before anybody came.
    async fn room_for_terminal(&self) -> Result<OwnedSemaphorePermit, AskRefusal> {
        let (kits, now) = (&self.0.kits, self.0.kits.now());
        if kits.config.gateway.terminals == 0 {
            return Err(AskRefusal::Off);
        }
        self.terminals()
            .retain(|_, terminal| !matches!(terminal.stage(), Stage::Over(_, at) if at + REMEMBERED <= now));
        let places = self.0.terminal_places.clone();
        if let Ok(room) = places.clone().try_acquire_owned() {
            return Ok(room);
        }
        let asked = |terminal: &Arc<Terminal>| matches!(terminal.stage(), Stage::Asked);
        let waiting: Vec<SessionId> =
            self.terminals().values().filter(|one| asked(one)).map(|terminal| terminal.session).collect();
        let over = sessions::over(kits, &waiting).await?;
        self.terminals().retain(|id, terminal| !(over.contains(id) && asked(terminal)));
        places.try_acquire_owned().map_err(|_| AskRefusal::Full)
    }
}
