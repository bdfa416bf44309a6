//! Pages that the gateway cannot read (decision 0024): it signs for the device's key, tells it of tickets, and hands
//! browsers' connections for the page's name on as they are. It holds no key that could open them.

use std::{sync::Arc, time::Duration};

use gatelodge_proto::{
    FlowId, Random,
    payload::{Feature, HostName},
    session::{
        Stream,
        client::Inside,
        driver::{Handle, OpenFailure},
        inner_frame::{Class, Open, Target},
    },
    web::{
        Duplex, EntryTicket,
        blind::{Begin, BlindWord, Silence, Talk},
        door::Hash,
        wire,
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    Gateway,
    host::{LOOKS_EVERY, PLACE_WITHIN},
    name::portal_origin,
    visit::{Stage, Visit, Way},
};
use crate::{
    clock::Clock,
    pki::{Csr, InvalidCsr},
    web::{ByName, Taker},
};

/// Longest wait for the device's next word.
const WITHIN: Duration = Duration::from_secs(15);
/// A certificate outlives the longest session by this.
const A_LITTLE: Duration = Duration::from_secs(600);

/// The way to a device that answers browsers itself.
pub(super) struct BlindWay {
    handle: Handle,
    clock: Clock,
    random: Random,
    tickets: mpsc::Sender<(Hash, oneshot::Sender<()>)>,
}

/// Why there is no such page, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBlind {
    /// The device's own settings.
    #[error("the device lets no browser in")]
    NotOffered,
    /// The vendor's settings.
    #[error("there is no CA for such pages")]
    NoCa,
    /// The device does not take the stream.
    #[error(transparent)]
    Open(#[from] OpenFailure),
    /// The device says nothing.
    #[error(transparent)]
    Silence(#[from] Silence),
    /// Or not in time.
    #[error("the device did not answer in time")]
    Late,
    /// The device says why.
    #[error("the device refuses: {0}")]
    Refused(String),
    /// It said something else than it should.
    #[error("the device said something else than it should")]
    Unexpected,
    /// What it wants certified.
    #[error(transparent)]
    Csr(#[from] InvalidCsr),
    /// The certificate.
    #[error("a certificate could not be signed")]
    Sign(#[from] rcgen::Error),
}

impl BlindWay {
    async fn open(&self, target: Target) -> Result<Stream, OpenFailure> {
        let flow = FlowId::make(self.clock.now(), &self.random);
        self.handle.open(Open { flow, target, class: Class::Interactive, credit: 0 }).await
    }

    /// Has the device expect a ticket.
    pub(super) async fn expects(&self, ticket: &EntryTicket) -> Result<(), NotBlind> {
        let (reply, expected) = oneshot::channel();
        self.tickets.send((ticket.hash(), reply)).await.map_err(|_| NotBlind::Silence(Silence::Over))?;
        timeout(WITHIN, expected).await.map_err(|_| NotBlind::Late)?.map_err(|_| NotBlind::Silence(Silence::Over))
    }
}

impl Gateway {
    /// Brings the device to answer browsers, and speaks with it for as long as it does.
    pub(super) async fn goes_blind(&self, visit: &Visit, inside: &Inside) -> Result<(), NotBlind> {
        if !inside.accept.features.contains(&Feature::WebBlind) {
            return Err(NotBlind::NotOffered);
        }
        let (ca, kits) = (self.0.blind.as_ref().ok_or(NotBlind::NoCa)?, self.kits());
        let authority = visit.face.authority.clone();
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        let name: HostName = host.parse().map_err(|_| NotBlind::Unexpected)?;
        let (tickets, mut wanted) = mpsc::channel(4);
        let (clock, random) = (kits.clock.clone(), kits.random.clone());
        let way = BlindWay { handle: inside.handle.clone(), clock, random, tickets };
        let mut talk = Talk::new(way.open(Target::Certify { name: name.clone() }).await?);
        let service = if let Target::Service(service) = &visit.target { Some(service.clone()) } else { None };
        let (portal, panel) = (portal_origin(&kits.config.public_url), visit.panel.clone());
        talk.say(&BlindWord::Begin(Begin { authority, portal, service, panel })).await?;
        let BlindWord::Csr(csr) = next(&mut talk).await? else { return Err(NotBlind::Unexpected) };
        // The session may still be extended, and its name is never another's.
        let life = Duration::from_secs(u64::from(kits.config.sessions.longest_minutes) * 60) + A_LITTLE;
        let chain = ca.sign(&name, &Csr::parse(&csr)?, kits.now(), life, &kits.random)?;
        talk.say(&BlindWord::Certificate(chain)).await?;
        let BlindWord::Ready = next(&mut talk).await? else { return Err(NotBlind::Unexpected) };
        visit.is_inside(Way::Blind(Arc::new(way)));
        loop {
            tokio::select! {
                Some((ticket, reply)) = wanted.recv() => {
                    talk.say(&BlindWord::Ticket(ticket)).await?;
                    let BlindWord::Expected = next(&mut talk).await? else { return Err(NotBlind::Unexpected) };
                    let _ = reply.send(());
                }
                word = talk.hear() => return match word? {
                    BlindWord::Refused(why) => Err(NotBlind::Refused(why)),
                    _ => Err(NotBlind::Unexpected),
                },
            }
        }
    }

    /// Takes connections for such pages out of those for this node. Without them there is nothing to take.
    pub fn by_name(&self) -> Option<ByName> {
        self.0.blind.as_ref()?;
        let gateway = self.clone();
        Some(ByName::new(move |name| gateway.taker(name)))
    }

    fn taker(&self, name: &str) -> Taker {
        let Some(label) = self.0.naming.addressed(name).filter(super::name::Label::is_blind) else {
            return Taker::Here;
        };
        let visits = self.visits().by_label.get(&label).cloned().unwrap_or_default();
        let live = visits.into_iter().find_map(|visit| match visit.stage() {
            Stage::Inside(Way::Blind(way)) => Some((visit, way)),
            Stage::Inside(Way::Readable(_)) | Stage::Asked | Stage::Joining | Stage::Over(..) => None,
        });
        let Some((visit, way)) = live else { return Taker::Nobody };
        let gateway = self.clone();
        Taker::Other(Box::new(move |io| Box::pin(async move { gateway.hand_on(&visit, &way, io).await })))
    }

    /// A connection lasts no longer than the sign-in of the browser that opened the page.
    async fn hand_on(&self, visit: &Visit, way: &BlindWay, io: Box<dyn Duplex>) {
        if !self.is_signed_in(visit).await {
            return;
        }
        let Ok(Ok(_place)) = timeout(PLACE_WITHIN, visit.requests.clone().acquire_owned()).await else { return };
        let stream = match way.open(Target::Blind).await {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!(session = %visit.session, %error, "a browser's connection has no way"),
        };
        let signed_out = async {
            loop {
                sleep(LOOKS_EVERY).await;
                if !self.is_signed_in(visit).await {
                    return;
                }
            }
        };
        tokio::select! {
            () = wire::join(io, stream) => {}
            () = signed_out => {}
        }
    }
}

async fn next(talk: &mut Talk) -> Result<BlindWord, NotBlind> {
    match timeout(WITHIN, talk.hear()).await.map_err(|_| NotBlind::Late)?? {
        BlindWord::Refused(why) => Err(NotBlind::Refused(why)),
        word => Ok(word),
    }
}
