//! Carries a terminal from its device's acceptance to its end: what the program writes no faster than the browser draws,
//! what is typed no faster than the program reads.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    FlowId,
    api::Join,
    payload::Feature,
    session::{
        Arrival, Stream,
        client::{Client, ClientError, Inside},
        driver::{Notice, OpenFailure},
        inner_frame::{Class, Open, ResetCode, Size, Target},
        terminal::{MAX_BODY, TerminalFrame},
    },
};
use tokio::{
    sync::mpsc::{Receiver, UnboundedReceiver},
    time::timeout,
};

use super::{
    live::{Outcome, Terminal, Typed},
    seat::Outward,
};
use crate::{
    gateway::{held, own_relay::OwnRelay},
    kits::Kits,
};

/// What xterm.js is.
const TERM: &str = "xterm-256color";
/// How long a terminal goes on with nobody at it: a page is loaded again, a phone changes its network.
const ALONE: Duration = Duration::from_secs(90);
/// A stream that breaks off is mostly the session's end, whose reason follows.
const REASON_WITHIN: Duration = Duration::from_secs(10);

impl Terminal {
    /// Carries the session until its end, like a technician's program.
    pub(super) async fn carry(self: Arc<Self>, join: Join, size: Size, relay: OwnRelay, kits: Kits) {
        let join = Join { relay: relay.address, ..join };
        let Some(key) = held(&self.key).take() else { return };
        let (key, random) = (key.der(), kits.random.clone());
        let client = Client { join, key, tls: relay.tls, provider: relay.provider, proxy: None, random };
        let work = async |inside: Inside| {
            let outcome = self.work(inside, size, &kits).await;
            self.is_over(&outcome, kits.now());
        };
        let outcome = client.run(|| {}, work, std::future::pending()).await;
        let reason = match outcome {
            Ok(ending) | Err(ClientError::Ended(ending)) => ending.reason,
            Err(error) => {
                tracing::info!(session = %self.session, error = &error as &dyn std::error::Error, "a terminal's session did not come up");
                error.reason()
            }
        };
        self.is_over(&Outcome::Session(reason), kits.now());
    }

    async fn work(&self, inside: Inside, size: Size, kits: &Kits) -> Outcome {
        let Inside { handle, accept, notices, .. } = inside;
        if ![Feature::Terminal, Feature::Web].iter().all(|needed| accept.features.contains(needed)) {
            return Outcome::NotLetIn;
        }
        let Ok(term) = TERM.parse() else { return Outcome::Broken };
        let flow = FlowId::make(kits.now(), &kits.random);
        let target = Target::Terminal { size, term, command: None };
        let stream = match handle.open(Open { flow, target, class: Class::Interactive, credit: 0 }).await {
            Ok(stream) => stream,
            Err(OpenFailure::Target(code)) => return Outcome::Unopened(code),
            Err(OpenFailure::Over) => return broken().await,
        };
        self.is_inside();
        let Some(mut queue) = held(&self.queue).take() else { return Outcome::Broken };
        tokio::select! {
            ended = self.shows(&stream) => match ended {
                Ok(outcome) => outcome,
                Err(_) => broken().await,
            },
            _ = self.types(&stream, size, &mut queue) => broken().await,
            () = self.is_left_alone() => Outcome::Alone,
            () = self.signed_out.notified() => Outcome::SignedOut,
            () = self.warns(notices) => broken().await,
        }
    }

    /// What the program writes, to its end.
    async fn shows(&self, stream: &Stream) -> Result<Outcome, ResetCode> {
        let (mut buffer, mut written) = (BytesMut::new(), BytesMut::new());
        loop {
            let Arrival::Data(bytes) = stream.next().await? else { return Ok(Outcome::Broken) };
            buffer.extend_from_slice(&bytes);
            let last = loop {
                match TerminalFrame::take(&mut buffer) {
                    Ok(Some(TerminalFrame::Data(piece))) => written.extend_from_slice(&piece),
                    Ok(Some(TerminalFrame::Exited(exit))) => break Some(Outcome::Exited(exit)),
                    Ok(Some(TerminalFrame::Refused(sentence))) => break Some(Outcome::Refused(sentence)),
                    Ok(Some(TerminalFrame::Resize(_))) | Err(_) => break Some(Outcome::Broken),
                    Ok(None) => break None,
                }
            };
            while !written.is_empty() {
                let piece = written.split_to(written.len().min(MAX_BODY));
                self.show(piece.freeze()).await;
            }
            if let Some(outcome) = last {
                return Ok(outcome);
            }
            stream.consumed(bytes.len()).await?;
        }
    }

    /// To whoever is at the terminal, once they have room for it.
    async fn show(&self, bytes: Bytes) {
        let mut places = self.place.subscribe();
        loop {
            let Ok(seat) = places.wait_for(|place| place.seat().is_some()).await.map(|place| place.seat().cloned())
            else {
                return;
            };
            let Some(seat) = seat else { continue };
            if !seat.has_room(bytes.len()).await {
                // Gone; the place says so, or has another already.
                tokio::task::yield_now().await;
                continue;
            }
            let mut shown = false;
            self.place.send_if_modified(|place| {
                shown = place.show(&seat, &bytes);
                false
            });
            if shown {
                return;
            }
        }
    }

    /// What is typed, and the window's size, one after the other: frames do not mix.
    async fn types(&self, stream: &Stream, first: Size, queue: &mut Receiver<Typed>) -> Result<(), ResetCode> {
        let (mut sizes, mut known) = (self.size.subscribe(), first);
        sizes.mark_changed();
        loop {
            tokio::select! {
                Some(Typed { seat, bytes, slot }) = queue.recv() => {
                    // What was typed before another browser came is not for its program.
                    if self.place.borrow().is_of(&seat) {
                        send(stream, TerminalFrame::Data(bytes).encode()).await?;
                        seat.say(Outward::Taken(slot));
                    }
                }
                Ok(()) = sizes.changed() => {
                    let size = *sizes.borrow_and_update();
                    if size != known {
                        known = size;
                        send(stream, TerminalFrame::Resize(size).encode()).await?;
                    }
                }
                else => return Ok(()),
            }
        }
    }

    async fn is_left_alone(&self) {
        let mut places = self.place.subscribe();
        loop {
            if places.wait_for(|place| place.seat().is_none()).await.is_err() {
                return;
            }
            if timeout(ALONE, places.wait_for(|place| place.seat().is_some())).await.is_err() {
                return;
            }
        }
    }

    /// What the device says about the session, to whoever is there. Never ends by itself.
    async fn warns(&self, mut notices: UnboundedReceiver<Notice>) {
        while let Some(Notice::ExpiryWarn(seconds)) = notices.recv().await {
            if let Some(seat) = self.place.borrow().seat() {
                seat.say(Outward::EndsIn(seconds));
            }
        }
        std::future::pending::<()>().await;
    }
}

async fn broken() -> Outcome {
    tokio::time::sleep(REASON_WITHIN).await;
    Outcome::Broken
}

async fn send(stream: &Stream, mut bytes: Bytes) -> Result<(), ResetCode> {
    while !bytes.is_empty() {
        let room = stream.room().await?;
        stream.send(bytes.split_to(room.min(bytes.len()))).await?;
    }
    Ok(())
}
