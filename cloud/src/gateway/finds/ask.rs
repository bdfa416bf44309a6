//! Asking for a look around, beginning it, and opening what was found.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use gatelodge_proto::{
    SessionId,
    api::SessionState,
    payload::{Feature, Host, Network, Protocol, Scheme},
    session::{finds::Find, inner_frame::Target},
    web::{Panel, Passage, wire::SessionDial},
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::look::{Look, Reach};
use crate::{
    accounts::{By, SignedIn, rights::InstallerMember},
    gateway::{
        Gateway, OnDrop,
        course::Stage,
        name::Label,
        open::{AskRefusal, Entry, REMEMBERED},
        visit::{self, Holder, SessionKey, Visit},
        wish::Wish,
    },
    sessions::{
        join::{self, JoinRefusal},
        request::{self, Asked},
        service as sessions,
    },
};

/// Why a find is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// No such look around or find, or it is somebody else's: all look the same.
    #[error("there is no such find among yours")]
    Unknown,
    /// A program has no browser.
    #[error("a web page is opened in a browser")]
    NoBrowser,
    /// Another browser has it.
    #[error("this page is open in another browser")]
    Elsewhere,
    /// The device lets no browser in.
    #[error("the device lets no browser in")]
    NotLetIn,
    /// The session is over, or has not begun.
    #[error("the session is over")]
    Over,
    /// As many pages as one session carries.
    #[error("as many pages of this session are open as it carries")]
    Many,
    /// No place for one more page.
    #[error(transparent)]
    Place(#[from] AskRefusal),
}

impl Gateway {
    /// Asks for a look around on one network of a device or on all, in the technician's name.
    pub(super) async fn ask_finds(&self, by: &InstallerMember, wish: Wish) -> Result<SessionId, AskRefusal> {
        let kits = &self.0.kits;
        let report = self.report(by, wish.device).await?;
        let room = self.room_for_look().await?;
        let key = SessionKey::make()?;
        let mut features = vec![Feature::Discovery];
        features.extend(Some(Feature::Web).filter(|web| report.features.contains(web)));
        let is_meant = |network: &Network| wish.network.as_ref().is_none_or(|meant| network.name.as_str() == meant);
        let networks: Vec<Network> = report.networks.into_iter().filter(is_meant).collect();
        if networks.is_empty() {
            return Err(AskRefusal::Outside);
        }
        let names = networks.iter().map(|network| network.name.clone()).collect();
        let from = wish.from.clone();
        let request = wish.request(names, features, key.csr()?);
        let view = request::request(kits, by, Asked::from_network(request, from)).await?.view;
        // Of one that a rule refused the page tells what the portal knows anyway.
        if matches!(view.state, SessionState::Waiting | SessionState::Open) {
            let look = Look::new(view.id, by.member(), networks, key, room);
            self.looks().insert(view.id, Arc::new(look));
        }
        Ok(view.id)
    }

    /// This person's look around, while its key is here.
    pub(super) fn look(&self, by: &SignedIn, id: SessionId) -> Option<Arc<Look>> {
        self.looks().get(&id).filter(|look| look.owner == by.member().into()).cloned()
    }

    /// Sets out to the device; nothing where somebody has already.
    pub(super) async fn begin_look(&self, by: &InstallerMember, id: SessionId) -> Result<(), JoinRefusal> {
        let look = self.look(by.signed_in(), id).ok_or(JoinRefusal::Unknown)?;
        let kits = &self.0.kits;
        if look.course.sets_out() {
            let back = OnDrop::new(|| look.course.comes_back());
            let join = join::join(kits, by, id).await?;
            back.let_off();
            tokio::spawn(look.clone().carry(join, self.0.relay.clone(), kits.clone()));
        }
        Ok(())
    }

    /// Opens a web page of what was found, within the same session.
    pub(super) fn open_find(&self, by: &SignedIn, id: SessionId, at: SocketAddr) -> Result<Entry, NotOpened> {
        let By::Browser { id: browser, secret, .. } = by.by() else { return Err(NotOpened::NoBrowser) };
        let look = self.look(by, id).ok_or(NotOpened::Unknown)?;
        let Stage::Inside(reach) = look.course.stage() else { return Err(NotOpened::Over) };
        let find = look.page_at(at.ip(), at.port()).ok_or(NotOpened::Unknown)?;
        if !reach.web {
            return Err(NotOpened::NotLetIn);
        }
        let target = target(at.ip(), at.port());
        let goes_on = |page: &Visit| page.target == target && !matches!(page.stage(), visit::Stage::Over(..));
        let page = match look.open_page(goes_on) {
            Some(page) => page,
            None => self.make_page(&look, &reach, &find, (by, at))?,
        };
        {
            let mut holder = page.holder();
            if holder.as_ref().is_some_and(|holder| holder.browser != *browser) {
                return Err(NotOpened::Elsewhere);
            }
            *holder = Some(Holder { browser: *browser, secret: secret.clone(), seen: Instant::now() });
        }
        let kits = &self.0.kits;
        let ticket = page.door().issue(kits.now(), &kits.random);
        Ok(Entry { face: page.face.clone(), ticket })
    }

    fn make_page(
        &self,
        look: &Look,
        reach: &Reach,
        find: &Find,
        (by, at): (&SignedIn, SocketAddr),
    ) -> Result<Arc<Visit>, NotOpened> {
        let kits = &self.0.kits;
        let (label, face) = self.place(|| Label::random(&kits.random))?;
        let (target, panel) = (target(at.ip(), at.port()), Panel::at(at, scheme(find)));
        let dial = SessionDial {
            handle: reach.handle.clone(),
            target: target.clone(),
            clock: kits.clock.clone(),
            random: kits.random.clone(),
            running: reach.running.clone(),
        };
        let provider = self.0.relay.provider.clone();
        let passage = Passage::new(panel.clone(), face.clone(), dial, provider).map_err(|_| NotOpened::NotLetIn)?;
        let whose = (look.session, by.member().into());
        let page = Arc::new(Visit::within(whose, (label, face), (target, panel), passage, kits.now()));
        if !look.add_page(&page) {
            return Err(NotOpened::Many);
        }
        self.visits().insert_beside(&page);
        Ok(page)
    }

    /// A place for one more. Lets go of those whose end everybody had time to read, and of those whose session was over
    /// before anybody came.
    async fn room_for_look(&self) -> Result<OwnedSemaphorePermit, AskRefusal> {
        let (kits, now) = (&self.0.kits, self.0.kits.now());
        self.looks().retain(|_, look| !matches!(look.course.stage(), Stage::Over(at) if at + REMEMBERED <= now));
        let places = self.0.look_places.clone();
        if let Ok(room) = places.clone().try_acquire_owned() {
            return Ok(room);
        }
        let asked = |look: &Arc<Look>| matches!(look.course.stage(), Stage::Asked);
        let waiting: Vec<SessionId> = self.looks().values().filter(|one| asked(one)).map(|one| one.session).collect();
        let over = sessions::over(kits, &waiting).await?;
        self.looks().retain(|id, look| !(over.contains(id) && asked(look)));
        places.try_acquire_owned().map_err(|_| AskRefusal::Full)
    }
}

fn target(address: IpAddr, port: u16) -> Target {
    Target::Address { protocol: Protocol::Tcp, host: Host::Address(address), port }
}

/// As it says of itself, where it does.
fn scheme(find: &Find) -> Option<Scheme> {
    match find.what.as_str() {
        "_https._tcp" | "https" => Some(Scheme::Https),
        "_http._tcp" | "http" => Some(Scheme::Http),
        _ => None,
    }
}
