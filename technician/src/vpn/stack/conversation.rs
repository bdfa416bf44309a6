//! Datagrams of one program to one place, in order, until nobody has said anything for a while. What the device does
//! not take in time is dropped, the oldest first.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Kind;

/// Silence after which datagrams of the same ends are another flow.
const UDP_IDLE: Duration = Duration::from_secs(120);
/// A ping is answered soon or never.
const ECHO_IDLE: Duration = Duration::from_secs(15);
/// Datagrams that wait while the flow is being opened.
const MOST: usize = 64;
/// The same in bytes.
const MOST_BYTES: usize = 64 * 1024;

pub(super) struct Conversation {
    /// The packet it began with, for the word that it did not arrive.
    pub(super) first: Vec<u8>,
    /// Whether the device has ever sent a datagram.
    pub(super) was_heard: bool,
    queue: VecDeque<Bytes>,
    bytes: usize,
    waker: Option<Waker>,
    last: Instant,
}

impl Conversation {
    pub(super) fn new(first: &[u8], now: Instant) -> Self {
        Self { first: first.to_vec(), was_heard: false, queue: VecDeque::new(), bytes: 0, waker: None, last: now }
    }

    /// The program has sent a datagram.
    pub(super) fn say(&mut self, datagram: &[u8], now: Instant) {
        self.last = now;
        self.bytes += datagram.len();
        self.queue.push_back(Bytes::copy_from_slice(datagram));
        while self.queue.len() > MOST || self.bytes > MOST_BYTES {
            self.pop();
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The device has sent one.
    pub(super) fn heard(&mut self, now: Instant) {
        self.was_heard = true;
        self.last = now;
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Bytes> {
        if let Some(datagram) = self.pop() {
            return Poll::Ready(datagram);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// When it is over, if nobody says anything.
    pub(super) fn until(&self, kind: Kind) -> Instant {
        self.last
            + match kind {
                Kind::Echo => ECHO_IDLE,
                Kind::Udp | Kind::Tcp => UDP_IDLE,
            }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let datagram = self.queue.pop_front()?;
        self.bytes -= datagram.len();
        Some(datagram)
    }
}

impl Drop for Conversation {
    /// Whoever waits for the next datagram learns that there is none.
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
