//! Everything a line does when it is polled: dial, read, send, ask, give up. It never waits: it leaves its waker with
//! whatever comes next.

use std::{
    io,
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::Instant;

use super::{AWAY, Line, LineState, NotAgain, Violation, Way, leg::Leg};
use crate::session::{
    carrier::{CarrierEnd, JoinError, Messages, join},
    relay_frame::{PeerLoss, RESUMES, RelayError, RelayFrame},
};

/// What has arrived and nobody reads stops the reading here,
const READ_AHEAD: usize = 256 * 1024;
/// or here, while this end cannot write before the other's acknowledgement is read.
const READ_FOR_ACKS: usize = super::KEEPS;
/// A carrier that carried less long is not worth another at once.
const STEADY: std::time::Duration = std::time::Duration::from_secs(2);

impl<S: Messages + 'static> Line<S> {
    pub(super) fn is_over(&self) -> bool {
        self.end.get().is_some()
    }

    /// Ready once the other end is there, or the line has ended.
    pub(super) fn poll_paired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drive(cx);
        if self.is_over() || self.machine.is_paired() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready once everything that was written has left, or cannot; drops what arrives meanwhile.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drive_unread(cx);
        let leaves = !self.is_over() && self.machine.is_paired() && self.machine.has_unsent();
        if leaves { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ready once the line has ended; drops what arrives before that.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drive_unread(cx);
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Goes as far as it can while nobody reads any more.
    fn drive_unread(&mut self, cx: &mut Context<'_>) {
        loop {
            self.machine.forget_waiting();
            self.drive(cx);
            // Full, and not at the end of what is there: nothing would wake this again.
            if self.machine.waiting() == 0 {
                return;
            }
        }
    }

    /// Goes as far as it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        while !self.is_over() {
            let now = Instant::now();
            if self.lookout.is_due(now.into_std()) {
                self.look_out(now);
            }
            let went_on = match &mut self.way {
                Way::Resting(until) if *until <= now => {
                    self.dial_again(now);
                    true
                }
                Way::Resting(_) => false,
                Way::Dialling(dialled) => match dialled.as_mut().poll(cx) {
                    Poll::Ready(dialled) => {
                        self.dialled(dialled, now);
                        true
                    }
                    Poll::Pending => false,
                },
                Way::Joined(_) => match self.exchange(cx, now) {
                    Ok(()) => false,
                    Err(error) => {
                        tracing::debug!(%error, "a carrier is lost");
                        self.lost(now);
                        true
                    }
                },
            };
            if went_on {
                continue;
            }
            if self.away_since.is_some_and(|since| since + AWAY <= now) {
                self.over(CarrierEnd::GivenUp);
                return;
            }
            if !self.is_over() && self.poll_time(cx, now).is_pending() {
                return;
            }
        }
    }

    fn poll_time(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let next = self.next_look();
        // A timer that comes too early costs one more look; setting it anew for each frame costs more.
        if next < self.timer.deadline() || self.timer.deadline() <= now {
            self.timer.as_mut().reset(next);
        }
        self.timer.as_mut().poll(cx)
    }

    fn next_look(&self) -> Instant {
        let give_up = self.away_since.map(|since| since + AWAY);
        let way = match &self.way {
            Way::Resting(until) => Some(*until),
            Way::Dialling(_) => None,
            Way::Joined(leg) => {
                // What waits for room in the socket is not waiting for time.
                let ack = self.machine.poll_timeout().filter(|_| !leg.blocked).map(Instant::from_std);
                Some(ack.map_or(leg.look_at(), |ack| ack.min(leg.look_at())))
            }
        };
        let later = Instant::from_std(self.lookout.look_at());
        [give_up, way].into_iter().flatten().fold(later, Instant::min)
    }

    /// Goes by another way as soon as the network is another one.
    fn look_out(&mut self, now: Instant) {
        let (sight, at) = (self.redial.sight(), now.into_std());
        match self.way {
            // Another carrier would be the end of a session with an end of version 1.
            Way::Joined(_) if self.peer.is_some_and(|version| version < RESUMES) => self.lookout.begin(sight, at),
            Way::Joined(_) if self.lookout.has_moved(sight, at) => {
                tracing::debug!(?sight, "the network under a carrier has changed");
                self.retry.succeeded();
                self.lost(now);
            }
            Way::Resting(_) | Way::Dialling(_) if self.lookout.has_opened(sight, at) => {
                tracing::debug!(?sight, "there is another way to the relay");
                self.retry.succeeded();
                self.way = Way::Resting(now);
            }
            Way::Joined(_) | Way::Resting(_) | Way::Dialling(_) => {}
        }
    }

    fn dial_again(&mut self, now: Instant) {
        self.lookout.begin(self.redial.sight(), now.into_std());
        let (dialled, hello) = (self.redial.dial(), self.hello_again());
        self.way = Way::Dialling(Box::pin(async move {
            let mut socket = dialled.await?;
            join(&mut socket, hello).await?;
            Ok(socket)
        }));
    }

    fn dialled(&mut self, dialled: Result<S, NotAgain>, now: Instant) {
        match &dialled {
            Err(NotAgain::Dial(_)) => {}
            Err(NotAgain::Join(JoinError::Broken(_))) => self.redial.answered(false),
            Ok(_) | Err(NotAgain::Join(JoinError::Refused(_) | JoinError::Ended(_) | JoinError::Alone)) => {
                self.redial.answered(true);
            }
        }
        match dialled {
            Ok(socket) => {
                self.lookout.joined(self.redial.sight(), now.into_std());
                self.way = Way::Joined(Leg::new(socket, now));
            }
            Err(NotAgain::Join(JoinError::Ended(reason))) => self.over(CarrierEnd::Revoked(reason)),
            Err(NotAgain::Join(JoinError::Refused(
                code @ (RelayError::Ticket | RelayError::Over | RelayError::Version | RelayError::Protocol),
            ))) => self.over(CarrierEnd::Refused(code)),
            Err(error) => {
                tracing::debug!(%error, "the relay is not reached");
                self.way = Way::Resting(now + self.retry.pause());
            }
        }
    }

    /// Reads and sends what can be.
    fn exchange(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<()> {
        let ahead = if self.machine.is_full() { READ_FOR_ACKS } else { READ_AHEAD };
        while self.machine.waiting() < ahead {
            let Way::Joined(leg) = &mut self.way else { return Ok(()) };
            let Poll::Ready(message) = leg.socket.poll_next_unpin(cx) else {
                self.machine.paused(now.into_std());
                break;
            };
            let message = message.ok_or(io::ErrorKind::UnexpectedEof)??;
            leg.heard();
            if let Some(frame) = RelayFrame::decode(message).map_err(io::Error::other)? {
                self.take(frame, now);
                if self.is_over() {
                    return Ok(());
                }
            }
        }
        if let Way::Joined(leg) = &mut self.way
            && !leg.look(now)
        {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the relay does not answer"));
        }
        self.send(cx, now)
    }

    /// Sends what can be.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<()> {
        let Way::Joined(leg) = &mut self.way else { return Ok(()) };
        leg.blocked = false;
        while leg.has_duty() || self.machine.has_transmit(now.into_std()) {
            let Poll::Ready(ready) = leg.socket.poll_ready_unpin(cx) else {
                leg.blocked = true;
                break;
            };
            ready?;
            let frame = leg.duty().map(|duty| duty.encode()).or_else(|| self.machine.poll_transmit(now.into_std()));
            let Some(frame) = frame else { break };
            leg.socket.start_send_unpin(frame)?;
            leg.unflushed = true;
        }
        if leg.unflushed
            && let Poll::Ready(flushed) = leg.socket.poll_flush_unpin(cx)
        {
            flushed?;
            leg.unflushed = false;
        }
        Ok(())
    }

    fn take(&mut self, frame: RelayFrame, now: Instant) {
        let Way::Joined(leg) = &mut self.way else { return };
        let taken = match frame {
            RelayFrame::Data { .. } | RelayFrame::Ack { .. } | RelayFrame::Sync { .. } => {
                leg.used(now);
                let acknowledged = matches!(frame, RelayFrame::Ack { .. });
                let handled = self.machine.handle(frame, now.into_std());
                if acknowledged {
                    self.tempo.follow(&self.machine);
                }
                handled
            }
            RelayFrame::PeerUp { version, epoch } => {
                let paired = self.machine.paired(version, epoch);
                self.peer = Some(version);
                self.rate.store(0, Ordering::Relaxed);
                self.away_since = None;
                self.up_since = Some(now);
                self.state.send_replace(LineState::Up { since: now });
                paired
            }
            RelayFrame::PeerDown { loss: PeerLoss::Lost, retry_ms } if retry_ms > 0 => {
                self.apart(now);
                Ok(())
            }
            RelayFrame::PeerDown { loss, .. } => return self.over(CarrierEnd::PeerDown(loss)),
            RelayFrame::Ping { stamp } => {
                leg.asked(stamp);
                Ok(())
            }
            RelayFrame::Revoke { reason } => return self.over(CarrierEnd::Revoked(reason)),
            RelayFrame::Error { code, .. } => return self.over(CarrierEnd::Refused(code)),
            RelayFrame::Rate { bytes_per_s } => {
                self.rate.store(bytes_per_s, Ordering::Relaxed);
                Ok(())
            }
            // A relay that goes away closes the connection next, and another is dialled then.
            RelayFrame::GoAway { .. } | RelayFrame::Hello(_) | RelayFrame::Welcome(_) | RelayFrame::Pong { .. } => {
                Ok(())
            }
        };
        if let Err(violation) = taken {
            self.over(CarrierEnd::Violated(violation));
        }
    }

    /// The carrier is gone; another is dialled.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.peer.is_some_and(|version| version < RESUMES) {
            return self.over(CarrierEnd::Violated(Violation::CannotResume));
        }
        if self.up_since.is_some_and(|since| since + STEADY <= now) {
            self.retry.succeeded();
        }
        self.apart(now);
        self.way = Way::Resting(now + self.retry.pause());
    }

    fn apart(&mut self, now: Instant) {
        self.machine.parted();
        self.up_since = None;
        let since = *self.away_since.get_or_insert(now);
        self.state.send_if_modified(|state| std::mem::replace(state, LineState::Away { since }) != *state);
    }

    fn over(&self, end: CarrierEnd) {
        let _ = self.end.set(end);
    }
}
