//! Asking for a terminal, and letting a browser come to it. Decides nothing: requests are answered as those of a
//! technician's program are.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    DeviceId, SessionId,
    api::SessionRequest,
    payload::{Feature, TicketNumber},
    session::inner_frame::Size,
    web::EntryTicket,
};

use super::live::{Outcome, Stage, Terminal};
use crate::{
    accounts::{By, SignedIn, model::Network, rights::InstallerMember},
    gateway::{
        Gateway,
        open::{AskRefusal, REMEMBERED},
        visit::SessionKey,
    },
    sessions::{
        join::{self, JoinRefusal},
        request::{self, Asked},
    },
};

/// Longest wait for the device; the page gives up at 30 seconds.
const MEETS_WITHIN: Duration = Duration::from_secs(25);

/// A technician's wish for a terminal.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) device: DeviceId,
    /// Why; the customer reads it.
    pub(super) reason: Option<String>,
    pub(super) ticket_number: Option<TicketNumber>,
    pub(super) break_glass: bool,
    pub(super) minutes: u32,
    pub(super) from: Network,
}

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
        self.has_room_for_terminal()?;
        let key = SessionKey::make()?;
        let request = SessionRequest {
            device: wish.device,
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: vec![Feature::Terminal, Feature::Web],
            reason: wish.reason,
            ticket_number: wish.ticket_number,
            break_glass: wish.break_glass,
            minutes: wish.minutes,
            csr: key.csr()?,
        };
        let view = request::request(kits, by, Asked::from_network(request, wish.from)).await?.view;
        let terminal = Terminal::new((view.id, by.member().user_id), key, view.requested_at);
        self.terminals().insert(view.id, Arc::new(terminal));
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
            match join::join(kits, by, id).await {
                Ok(join) => {
                    let relay = self.0.relay.clone();
                    tokio::spawn(terminal.clone().carry(join, size, relay, kits.clone()));
                }
                Err(refusal) => {
                    terminal.comes_back();
                    return Err(refusal.into());
                }
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
        self.terminals().get(&id).filter(|terminal| terminal.user == by.member().user_id).cloned()
    }

    /// Lets go of those whose end everybody had time to read, and of those that nobody answered.
    fn has_room_for_terminal(&self) -> Result<(), AskRefusal> {
        let (kits, now) = (&self.0.kits, self.0.kits.now());
        let most = usize::try_from(kits.config.gateway.terminals).unwrap_or(usize::MAX);
        if most == 0 {
            return Err(AskRefusal::Off);
        }
        let patience = kits.config.sessions.ask() + REMEMBERED;
        let mut terminals = self.terminals();
        terminals.retain(|_, terminal| {
            !terminal.is_past(|stage| match stage {
                Stage::Over(_, at) => *at + REMEMBERED <= now,
                Stage::Asked => terminal.asked_at + patience <= now,
                Stage::Joining | Stage::Inside => false,
            })
        });
        let live = terminals.values().filter(|terminal| terminal.is_live()).count();
        if live < most { Ok(()) } else { Err(AskRefusal::Full) }
    }
}
