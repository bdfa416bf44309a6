//! Asking for a web page, and letting a browser in to it. The gateway decides nothing: requests are answered as those of
//! a technician's program are.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    DeviceId, SessionId, Timestamp,
    api::{Join, SessionRequest},
    payload::{EndReason, Feature, Profile, Report, Service, ServiceName, TicketNumber},
    session::inner_frame::Target,
    web::{EntryTicket, Face, Panel},
};
use tokio::time::Instant;

use super::{
    Gateway, Inner, OnDrop,
    name::{Label, Naming, blind_face},
    place::Place,
    visit::{Holder, SessionKey, Stage, Visit, Way},
};
use crate::{
    accounts::{
        By, SignedIn,
        model::Network,
        rights::{CustomerMember, InstallerMember},
    },
    activation,
    db::DbError,
    sessions::{
        join::{self, JoinRefusal},
        own::{self, OwnRefusal},
        request::{self, Asked, RequestRefusal},
        service as sessions,
    },
};

/// Longest wait for the device, from the press to its page.
const MEETS_WITHIN: Duration = Duration::from_secs(30);
/// How long the end of a page can be read at its address.
pub(super) const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// A technician's wish for a web page.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Of which device.
    pub device: DeviceId,
    /// Which page.
    pub wanted: Wanted,
    /// Whether only the device may read what passes, and not the portal.
    pub blind: bool,
    /// Why; the customer reads it.
    pub reason: Option<String>,
    /// Under which number the installer keeps the work.
    pub ticket_number: Option<TicketNumber>,
    /// Whether it is an emergency.
    pub break_glass: bool,
    /// For how long.
    pub minutes: u32,
    /// From which network the wish comes.
    pub from: Network,
}

/// Whose page is wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// One of the device's services.
    Service(ServiceName),
    /// Somewhere in one of its networks, for which as a whole is then asked.
    Place(Place),
}

/// Why no page was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskRefusal {
    /// There is no place for one.
    #[error("this portal shows no web pages of installations; use the command line: gatelodge forward")]
    Off,
    /// Too many.
    #[error("as many web pages are open as this portal carries at once; try again later")]
    Full,
    /// The address is in no network of the device.
    #[error("that address is in none of the networks that this device offers")]
    Outside,
    /// The session's key could not be made.
    #[error("a key for the session could not be made")]
    Key(#[from] rcgen::Error),
    /// The request was not taken.
    #[error(transparent)]
    Request(#[from] RequestRefusal),
    /// The customer's own page was not opened.
    #[error(transparent)]
    Own(#[from] OwnRefusal),
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum EnterRefusal {
    /// No such page, or it is somebody else's: both look the same. Also one whose key went with a restart.
    #[error("there is no such page among yours")]
    Unknown,
    /// A program has no browser.
    #[error("a web page is opened in a browser")]
    NoBrowser,
    /// Another browser has it.
    #[error("this page is open in another browser")]
    Elsewhere,
    /// The session is over, or not allowed yet.
    #[error(transparent)]
    Join(#[from] JoinRefusal),
    /// It ended while it came up, or before.
    #[error("the session is over ({})", .0.word())]
    Over(EndReason),
    /// The device did not come.
    #[error("the device does not answer; is it online?")]
    Silent,
}

/// With what a browser comes in, and where.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where.
    pub face: Face,
    /// With what.
    pub ticket: EntryTicket,
}

impl Gateway {
    /// Asks for a web page in the technician's name. The answer's state is the request's.
    pub async fn ask(&self, by: &InstallerMember, wish: Wish) -> Result<SessionId, AskRefusal> {
        let kits = &self.0.kits;
        let (services, networks) = match &wish.wanted {
            Wanted::Service(service) => (vec![service.clone()], Vec::new()),
            Wanted::Place(place) => {
                let offered = self.report(by, wish.device).await?.networks;
                (Vec::new(), vec![place.network(&offered).ok_or(AskRefusal::Outside)?.name.clone()])
            }
        };
        if wish.blind && self.0.blind.is_none() {
            return Err(AskRefusal::Off);
        }
        let name = || if wish.blind { Label::blind(&kits.random) } else { Label::random(&kits.random) };
        self.forget_refused().await?;
        let (label, face) = self.place(name)?;
        let key = SessionKey::make()?;
        let request = SessionRequest {
            device: wish.device,
            services,
            networks,
            listens: Vec::new(),
            features: vec![if wish.blind { Feature::WebBlind } else { Feature::Web }],
            reason: wish.reason,
            ticket_number: wish.ticket_number,
            break_glass: wish.break_glass,
            minutes: wish.minutes,
            csr: key.csr()?,
        };
        let asked = request::request(kits, by, Asked::from_network(request, wish.from)).await?;
        let way = match wish.wanted {
            Wanted::Place(place) => (place.target(), place.panel()),
            Wanted::Service(name) => {
                // What the customer reads is what is reached: the service as it was at that moment.
                let report = self.report(by, wish.device).await?;
                let service = report.services.iter().find(|known| known.name == name);
                let panel = panel(service.ok_or(RequestRefusal::UnknownDevice)?, &report.profiles);
                (Target::Service(name), panel)
            }
        };
        self.keep((asked.view.id, by.signed_in()), (label, face), way, key, asked.view.requested_at);
        Ok(asked.view.id)
    }

    pub(super) async fn report(&self, by: &InstallerMember, device: DeviceId) -> Result<Report, RequestRefusal> {
        let named = activation::service::one(&self.0.kits, by.member(), device).await?;
        named.and_then(|view| view.report).ok_or(RequestRefusal::UnknownDevice)
    }

    /// Opens the device's own page for somebody of its customer, at its web address.
    pub async fn open_own(&self, by: &CustomerMember, device: DeviceId) -> Result<SessionId, AskRefusal> {
        let kits = &self.0.kits;
        let view = activation::service::one(kits, by.member(), device).await.map_err(OwnRefusal::from)?;
        let view = view.ok_or(OwnRefusal::Unknown)?;
        self.forget_refused().await?;
        let (label, face) = self.place(|| Label::own(&view.web_address))?;
        let key = SessionKey::make()?;
        let (session, service) = own::open(kits, by, device, &key.csr()?).await?;
        let profiles = view.report.map(|report| report.profiles).unwrap_or_default();
        let panel = panel(&service, &profiles);
        self.keep((session, by.signed_in()), (label, face), (Target::Service(service.name), panel), key, kits.now());
        Ok(session)
    }

    /// Lets a technician's browser in to a page that was allowed.
    pub async fn enter(&self, by: &InstallerMember, id: SessionId) -> Result<Entry, EnterRefusal> {
        let kits = &self.0.kits;
        self.enter_by(by.signed_in(), id, async || join::join(kits, by, id).await).await
    }

    /// Lets the customer's browser in to the device's own page.
    pub async fn enter_own(&self, by: &CustomerMember, id: SessionId) -> Result<Entry, EnterRefusal> {
        let kits = &self.0.kits;
        self.enter_by(by.signed_in(), id, async || own::join(kits, by, id).await).await
    }

    async fn enter_by(
        &self,
        by: &SignedIn,
        id: SessionId,
        join: impl AsyncFnOnce() -> Result<Join, JoinRefusal>,
    ) -> Result<Entry, EnterRefusal> {
        let By::Browser { id: browser, secret, .. } = by.by() else { return Err(EnterRefusal::NoBrowser) };
        let visit = self.visit(by, id).ok_or(EnterRefusal::Unknown)?;
        {
            let mut holder = visit.holder();
            if holder.as_ref().is_some_and(|holder| holder.browser != *browser) {
                return Err(EnterRefusal::Elsewhere);
            }
            *holder = Some(Holder { browser: *browser, secret: secret.clone(), seen: Instant::now() });
        }
        if visit.sets_out() {
            let back = OnDrop::new(|| {
                visit.comes_back();
                *visit.holder() = None;
            });
            let join = join().await?;
            back.let_off();
            tokio::spawn(visit.clone().carry(join, self.clone()));
        }
        let mut stages = visit.stages();
        let settled = |stage: &Stage| matches!(stage, Stage::Inside(_) | Stage::Over(..));
        let stage = tokio::time::timeout(MEETS_WITHIN, stages.wait_for(settled)).await;
        match stage.map(|stage| stage.map(|stage| stage.clone())) {
            Ok(Ok(Stage::Over(reason, _))) => Err(EnterRefusal::Over(reason)),
            Ok(Ok(Stage::Inside(Way::Blind(way)))) => {
                let ticket = EntryTicket::make(&self.0.kits.random);
                way.expects(&ticket).await.map_err(|_| EnterRefusal::Silent)?;
                Ok(Entry { face: visit.face.clone(), ticket })
            }
            Ok(Ok(_)) => {
                let kits = &self.0.kits;
                let ticket = visit.door().issue(kits.now(), &kits.random);
                Ok(Entry { face: visit.face.clone(), ticket })
            }
            Ok(Err(_)) | Err(_) => Err(EnterRefusal::Silent),
        }
    }

    /// Whose page it is, where it can be opened here by this person.
    pub fn panel(&self, by: &SignedIn, id: SessionId) -> Option<Panel> {
        self.visit(by, id).map(|visit| visit.panel.clone())
    }

    fn visit(&self, by: &SignedIn, id: SessionId) -> Option<Arc<Visit>> {
        self.visits().by_session.get(&id).filter(|visit| visit.owner == by.member().into()).cloned()
    }

    /// Lets go of those whose session was over before anybody came.
    async fn forget_refused(&self) -> Result<(), DbError> {
        let is_asked = |visit: &Visit| matches!(visit.stage(), Stage::Asked);
        let asked: Vec<SessionId> =
            self.visits().by_session.values().filter(|visit| is_asked(visit)).map(|visit| visit.session).collect();
        let over = sessions::over(&self.0.kits, &asked).await?;
        self.visits().prune(|visit| over.contains(&visit.session) && is_asked(visit));
        Ok(())
    }

    /// Finds an origin for one more page.
    pub(super) fn place(&self, name: impl FnOnce() -> Label) -> Result<(Label, Face), AskRefusal> {
        let Inner { kits, naming, .. } = &*self.0;
        let now = kits.now();
        let patience = kits.config.sessions.ask() + REMEMBERED;
        let mut visits = self.visits();
        visits.prune(|visit| match visit.stage() {
            Stage::Over(_, at) => at + REMEMBERED <= now,
            Stage::Asked => visit.asked_at + patience <= now,
            Stage::Joining | Stage::Inside(_) => false,
        });
        let pages = visits.by_label.values().flatten();
        let live = pages.filter(|visit| !matches!(visit.stage(), Stage::Over(..))).count();
        if live >= usize::try_from(kits.config.gateway.pages).unwrap_or(usize::MAX) {
            return Err(AskRefusal::Full);
        }
        let label = match naming {
            Naming::Off => return Err(AskRefusal::Off),
            Naming::Hosts { .. } => name(),
            Naming::Ports { range, .. } => {
                let is_over = |visit: &Arc<Visit>| matches!(visit.stage(), Stage::Over(..));
                let there = |port: &Label| visits.by_label.get(port);
                let ports = || (range.first..=range.last).map(Label::Port);
                let unused = ports().find(|port| there(port).is_none());
                // Better an end that can be read no longer than no page.
                let over = || ports().find(|port| there(port).is_none_or(|visits| visits.iter().all(is_over)));
                unused.or_else(over).ok_or(AskRefusal::Full)?
            }
        };
        let face = if label.is_blind() { blind_face(&kits.config, &label) } else { naming.face(&label) };
        let face = face.ok_or(AskRefusal::Off)?;
        Ok((label, face))
    }

    fn keep(
        &self,
        (session, by): (SessionId, &SignedIn),
        place: (Label, Face),
        way: (Target, Panel),
        key: SessionKey,
        asked_at: Timestamp,
    ) {
        let visit = Visit::new((session, by.member().into()), place, way, key, asked_at);
        self.visits().insert(&Arc::new(visit));
    }
}

/// The pages of a service, as its device speaks of them.
fn panel(service: &Service, profiles: &[Profile]) -> Panel {
    Panel::of(service, profiles.iter().find(|profile| profile.service == service.name))
}

impl From<DbError> for AskRefusal {
    fn from(error: DbError) -> Self {
        Self::Request(error.into())
    }
}
