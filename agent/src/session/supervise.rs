//! A session while it runs: opens targets, lets the end move where a newer grant says so, and ends the session when it
//! has to.

use std::{sync::atomic::Ordering, time::Duration};

use gatelodge_proto::{
    Timestamp,
    payload::{EndReason, Happening, KeptEnd, NotLonger},
    session::{
        Ending,
        driver::{Counters, Handle, Incoming},
        inner_frame::InnerFrame,
    },
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Events,
    admit::{Terms, signed},
    countdown::{Countdown, Due},
    flows::Flows,
    order::{Ears, Newer, Wish},
};
use crate::consent::Moments;

/// How often it is looked whether bytes flow.
const IDLE_LOOK: Duration = Duration::from_secs(10);

/// What a running session is judged by.
pub(super) struct Supervisor<'a> {
    pub(super) handle: &'a Handle,
    pub(super) flows: &'a mut Flows,
    pub(super) terms: Terms,
    pub(super) countdown: Countdown,
    pub(super) grant_key: &'a str,
    pub(super) events: &'a Events,
    /// The hour at which it began, and when that was.
    pub(super) began: (Timestamp, Instant),
    pub(super) clock_lacks_us: i64,
}

impl Supervisor<'_> {
    /// Until the session has to end. The driver's own end cancels this.
    pub(super) async fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Incoming>, ears: &mut Ears) {
        let mut idle = Idle::new(self.handle.counters(), self.terms.idle);
        let reason = loop {
            tokio::select! {
                Some(wanted) = incoming.recv() => self.flows.open(wanted).await,
                wish = ears.next() => match wish {
                    Wish::End(reason) => break reason,
                    Wish::Extend(newer) => self.extend(&newer).await,
                },
                () = tokio::time::sleep_until(idle.next_look) => if idle.is_over(self.handle.counters()) {
                    break EndReason::Idle;
                },
                () = tokio::time::sleep_until(self.countdown.next_at()) => match self.countdown.due(Instant::now()) {
                    Some(Due::Warning(left)) => self.say_left(left).await,
                    Some(Due::End) => break EndReason::Expired,
                    None => {}
                },
            }
        };
        self.handle.end(Ending::plain(reason)).await;
        // The driver says goodbye and its end ends this.
        std::future::pending::<()>().await;
    }

    async fn extend(&mut self, newer: &Newer) {
        let (session, now) = (self.terms.grant.session, Instant::now());
        let (then, at) = self.began;
        let moments = Moments::of(then + at.elapsed(), self.clock_lacks_us);
        let what = match newer.agreed(&self.terms, self.grant_key, moments) {
            // Said twice, as by an agent that has started anew.
            Ok(None) => return,
            Ok(Some((terms, longer))) => {
                let moved = self.countdown.lengthen(longer, now);
                self.terms = terms.moved_by(moved.unwrap_or_default());
                let end = self.terms.kept();
                if moved.is_some() {
                    self.say_left(self.countdown.left(now)).await;
                    Happening::SessionExtended { session, end }
                } else {
                    Happening::ExtensionRefused { session, end: Some(end), reason: NotLonger::Longest }
                }
            }
            Err(denied) => {
                tracing::warn!(%session, %denied, "a newer grant is refused");
                let granted = signed(&newer.grant, self.grant_key).map_or(self.terms.grant.until, |grant| grant.until);
                let end = KeptEnd { granted, ..self.terms.kept() };
                Happening::ExtensionRefused { session, end: Some(end), reason: denied.into() }
            }
        };
        tracing::info!(%session, ?what, "the session was to last longer");
        // Nobody may be there to take it, and the session's end does not wait for that.
        let events = self.events.clone();
        tokio::spawn(async move { events.send(what).await });
    }

    /// The device's count is the one that holds, and the technician has it from here.
    async fn say_left(&self, left: Duration) {
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        self.handle.tell(InnerFrame::ExpiryWarn { seconds }).await;
    }
}

/// Whether bytes of the technician's or the installation's have flowed lately.
struct Idle {
    limit: Duration,
    seen: u64,
    since: Instant,
    next_look: Instant,
}

impl Idle {
    fn new(counters: &Counters, limit: Duration) -> Self {
        let now = Instant::now();
        let mut idle = Self { limit, seen: Self::total(counters), since: now, next_look: now };
        idle.wait(now);
        idle
    }

    fn total(counters: &Counters) -> u64 {
        counters.sent.load(Ordering::Relaxed) + counters.received.load(Ordering::Relaxed)
    }

    /// Often enough to know when the last byte was, and exactly when the limit may be over.
    fn wait(&mut self, now: Instant) {
        self.next_look = (now + IDLE_LOOK).min(self.since + self.limit);
    }

    fn is_over(&mut self, counters: &Counters) -> bool {
        let (now, total) = (Instant::now(), Self::total(counters));
        if total != self.seen {
            (self.seen, self.since) = (total, now);
        }
        self.wait(now);
        now >= self.since + self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_idle_one_limit_after_its_last_byte_and_not_two() {
        let (counters, limit) = (Counters::default(), Duration::from_secs(900));
        let begun = Instant::now();
        let mut idle = Idle::new(&counters, limit);
        let mut last = begun;
        loop {
            tokio::time::sleep_until(idle.next_look).await;
            if idle.is_over(&counters) {
                break;
            }
            if begun.elapsed() < Duration::from_secs(60) {
                counters.sent.fetch_add(1, Ordering::Relaxed);
                last = Instant::now();
            }
        }
        assert!(last > begun, "some bytes have flowed");
        let after = last.elapsed();
        assert!((limit..=limit + Duration::from_secs(10)).contains(&after), "{after:?}");
    }
}
