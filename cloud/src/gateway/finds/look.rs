//! One look around: its session's key, where it stands, what was found, and the pages that were opened of it.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use gatelodge_proto::{
    FlowId, SessionId, Timestamp,
    api::Join,
    payload::{EndReason, Feature, Network, Protocol},
    session::{
        client::{Client, ClientError, Inside},
        driver::Handle,
        finds::{Find, FoundBy, MOST_FINDS},
        look::{NoFinds, Watch, look_around},
    },
};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

use crate::{
    accounts::model::Member,
    gateway::{
        Owner,
        course::Course,
        held,
        own_relay::OwnRelay,
        visit::{SessionKey, Visit},
    },
    kits::Kits,
};

/// Pages of one look around that may be open at once.
pub(super) const MOST_PAGES: usize = 8;

/// What pages are opened with.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) handle: Handle,
    pub(super) running: TaskTracker,
    /// Whether the device lets browsers in.
    pub(super) web: bool,
}

/// How a look around ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Looked {
    /// The device has looked everywhere; there may be more than it tells.
    Everywhere { cut: bool },
    /// It does not; why, in a sentence.
    Refused(String),
    /// It broke off.
    Broken,
}

/// What was found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) finds: Vec<Find>,
    pub(super) progress: Option<(u32, u32)>,
    pub(super) looked: Option<Looked>,
}

impl Found {
    /// One more; what comes again at the same place with another name replaces what was there.
    fn take(&mut self, find: Find) {
        let same = |known: &Find| known.address == find.address && known.port == find.port;
        if let Some(known) = self.finds.iter_mut().find(|known| same(known)) {
            *known = find;
        } else if self.finds.len() < MOST_FINDS {
            self.finds.push(find);
        }
        self.finds.sort_by_key(|find| (find.address, find.port.map(|(_, port)| port)));
    }
}

/// One look around.
pub(in crate::gateway) struct Look {
    pub(super) session: SessionId,
    pub(super) owner: Owner,
    networks: Vec<Network>,
    pub(super) course: Course<Arc<Reach>>,
    /// Until it has set out.
    key: Mutex<Option<SessionKey>>,
    found: Mutex<Found>,
    pages: Mutex<Vec<Arc<Visit>>>,
    /// Until it is over.
    room: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Look {
    pub(super) fn new(
        session: SessionId,
        by: &Member,
        networks: Vec<Network>,
        key: SessionKey,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            session,
            owner: by.into(),
            networks,
            course: Course::begin(),
            key: Mutex::new(Some(key)),
            found: Mutex::default(),
            pages: Mutex::default(),
            room: Mutex::new(Some(room)),
        }
    }

    pub(super) fn found(&self) -> Found {
        held(&self.found).clone()
    }

    /// The find at that place that a browser can be a client of. What the device tells is no right: the place is in the
    /// networks that the customer allowed, and the device judges it again.
    pub(super) fn page_at(&self, address: IpAddr, port: u16) -> Option<Find> {
        let found = held(&self.found);
        let is = |find: &&Find| find.address == address && find.port == Some((Protocol::Tcp, port));
        let find = found.finds.iter().find(is).filter(|find| may_be_page(find))?;
        let within = self.networks.iter().any(|network| network.subnet.contains(address));
        within.then(|| find.clone())
    }

    /// The page that was opened at that place, if it goes on.
    pub(super) fn open_page(&self, is: impl Fn(&Visit) -> bool) -> Option<Arc<Visit>> {
        held(&self.pages).iter().find(|page| is(page)).cloned()
    }

    /// Takes one more page; `false` where there are as many as one session carries.
    pub(super) fn add_page(&self, page: &Arc<Visit>) -> bool {
        let mut pages = held(&self.pages);
        let has_room = pages.len() < MOST_PAGES;
        if has_room {
            pages.push(page.clone());
        }
        has_room
    }

    /// Carries the session until its end, like a technician's program.
    pub(super) async fn carry(self: Arc<Self>, join: Join, relay: OwnRelay, kits: Kits) {
        let Some(key) = held(&self.key).take() else { return };
        let join = Join { relay: relay.address, ..join };
        let random = kits.random.clone();
        let client = Client { join, key: key.der(), tls: relay.tls, provider: relay.provider, proxy: None, random };
        let work = async |inside: Inside| {
            let Inside { handle, accept, running, .. } = inside;
            let web = accept.features.contains(&Feature::Web);
            self.course.is_inside(Arc::new(Reach { handle: handle.clone(), running, web }));
            let flow = FlowId::make(kits.now(), &kits.random);
            let looked = match look_around(&handle, flow, &mut Watcher(&self.found)).await {
                Ok(cut) => Looked::Everywhere { cut },
                Err(NoFinds::Refused(sentence)) => Looked::Refused(sentence),
                Err(NoFinds::Open(_) | NoFinds::Spoken(_) | NoFinds::Cut) => Looked::Broken,
            };
            held(&self.found).looked = Some(looked);
            std::future::pending::<()>().await;
        };
        let reason = match client.run(|| {}, work, std::future::pending()).await {
            Ok(ending) | Err(ClientError::Ended(ending)) => ending.reason,
            Err(error) => {
                tracing::info!(session = %self.session, error = &error as &dyn std::error::Error, "a look around's session did not come up");
                error.reason()
            }
        };
        self.is_over(reason, kits.now());
    }

    fn is_over(&self, reason: EndReason, now: Timestamp) {
        self.course.is_over(now);
        for page in held(&self.pages).drain(..) {
            page.is_over(reason, now);
        }
        held(&self.found).looked.get_or_insert(Looked::Broken);
        *held(&self.room) = None;
    }
}

/// Whether a browser may try it: it says that it has pages, or all that is known is that its port is open.
pub(super) fn may_be_page(find: &Find) -> bool {
    find.is_page() || (find.by == FoundBy::Port && matches!(find.port, Some((Protocol::Tcp, _))))
}

struct Watcher<'a>(&'a Mutex<Found>);

impl Watch for Watcher<'_> {
    fn found(&mut self, find: Find) {
        held(self.0).take(find);
    }

    fn at(&mut self, done: u32, of: u32) {
        held(self.0).progress = Some((done, of));
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::session::finds::Said;

    use super::*;

    fn find(address: &str, port: u16, name: &str) -> Find {
        Find {
            address: address.parse().unwrap(),
            port: Some((Protocol::Tcp, port)),
            by: FoundBy::Mdns,
            name: Said::of(name.as_bytes()),
            what: Said::of(b"_http._tcp"),
            mac: None,
        }
    }

    #[test]
    fn what_comes_again_replaces_what_was_there_and_a_flood_is_cut() {
        let mut found = Found::default();
        for (address, port, name) in [
            ("192.168.1.60", 80, "store"),
            ("192.168.1.50", 8080, "panel"),
            ("192.168.1.50", 80, ""),
            ("192.168.1.50", 80, "hall"),
        ] {
            found.take(find(address, port, name));
        }
        let names: Vec<_> = found.finds.iter().map(|find| find.name.as_str()).collect();
        assert_eq!(names, ["hall", "panel", "store"]);
        for port in 1..=u16::try_from(MOST_FINDS).unwrap() + 9 {
            found.take(find("192.168.1.70", port, "flood"));
        }
        assert_eq!(found.finds.len(), MOST_FINDS);
    }
}
