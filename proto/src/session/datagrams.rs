//! One flow of datagrams as its owner and the driver see it. What nobody takes in time is dropped, the oldest first, as
//! a network does; nobody waits for room. Dropping it ends the flow.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::{
    inner_frame::{MAX_PAYLOAD, ResetCode, StreamId},
    stream::Reset,
};

/// What waits in one direction of one flow, at most.
const MOST_BYTES: usize = 128 * 1024;
/// The same in datagrams.
const MOST: usize = 256;
/// Datagrams smaller than this are copied when they arrive: they would keep the whole buffer they were read into.
const SMALL: usize = 8 * 1024;

/// A flow of datagrams that is not over.
pub struct Datagrams {
    id: StreamId,
    mail: Arc<Mail>,
    /// At most one message a flow until the driver has looked.
    ready: mpsc::UnboundedSender<StreamId>,
    /// At most one message a flow.
    resets: mpsc::UnboundedSender<Reset>,
}

impl Datagrams {
    pub(super) const fn new(
        id: StreamId,
        mail: Arc<Mail>,
        ready: mpsc::UnboundedSender<StreamId>,
        resets: mpsc::UnboundedSender<Reset>,
    ) -> Self {
        Self { id, mail, ready, resets }
    }

    /// Sends a datagram. It is lost when it is larger than [`MAX_PAYLOAD`], when newer ones push it out of the queue
    /// before the carrier takes it, or when the flow is over.
    pub fn send(&self, datagram: Bytes) {
        if datagram.len() > MAX_PAYLOAD {
            tracing::debug!(bytes = datagram.len(), "a datagram is larger than a frame and is lost");
            return;
        }
        if self.mail.post(datagram) {
            let _ = self.ready.send(self.id);
        }
    }

    /// The next datagram; `None` when the flow is over. Cancelling loses nothing.
    pub async fn recv(&self) -> Option<Bytes> {
        self.mail.next().await
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        let _ = self.resets.send((self.id, ResetCode::Cancelled));
    }
}

/// What waits in both directions.
#[derive(Default)]
pub(super) struct Mail {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    outgoing: Queue,
    /// Whether the driver knows that something is outgoing.
    announced: bool,
    incoming: Queue,
    over: bool,
}

#[derive(Default)]
struct Queue {
    datagrams: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    fn push(&mut self, datagram: Bytes) {
        self.bytes += datagram.len();
        self.datagrams.push_back(datagram);
        while self.bytes > MOST_BYTES || self.datagrams.len() > MOST {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let datagram = self.datagrams.pop_front()?;
        self.bytes -= datagram.len();
        Some(datagram)
    }
}

impl Mail {
    /// Queues a datagram for the carrier; gives whether the driver has to be told.
    fn post(&self, datagram: Bytes) -> bool {
        let mut state = self.state();
        if state.over {
            return false;
        }
        state.outgoing.push(datagram);
        !std::mem::replace(&mut state.announced, true)
    }

    /// The oldest datagram for the carrier. After `None` the driver is told of the next.
    pub(super) fn outgoing(&self) -> Option<Bytes> {
        let mut state = self.state();
        let datagram = state.outgoing.pop();
        state.announced &= datagram.is_some();
        datagram
    }

    pub(super) fn arrived(&self, datagram: Bytes) {
        let datagram = if datagram.len() < SMALL { Bytes::copy_from_slice(&datagram) } else { datagram };
        self.state().incoming.push(datagram);
        self.arrived.notify_one();
    }

    /// No more will come; what has arrived is still there to take.
    pub(super) fn end(&self) {
        self.state().over = true;
        self.arrived.notify_one();
    }

    async fn next(&self) -> Option<Bytes> {
        loop {
            let notified = self.arrived.notified();
            {
                let mut state = self.state();
                if let Some(datagram) = state.incoming.pop() {
                    return Some(datagram);
                }
                if state.over {
                    // For whoever else waits.
                    self.arrived.notify_one();
                    return None;
                }
            }
            notified.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_is_the_newest_in_order_and_within_the_bound(sizes in vec(0usize..MAX_PAYLOAD, 0..600)) {
            let mut queue = Queue::default();
            for (number, size) in sizes.iter().enumerate() {
                let mut datagram = vec![0; (*size).max(4)];
                datagram[..4].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
                queue.push(datagram.into());
                prop_assert!(queue.bytes <= MOST_BYTES && queue.datagrams.len() <= MOST);
            }
            let first = sizes.len() - queue.datagrams.len();
            let pushed_out = sizes.get(first.wrapping_sub(1)).is_none_or(|size| {
                queue.bytes + (*size).max(4) > MOST_BYTES || queue.datagrams.len() == MOST
            });
            prop_assert!(pushed_out, "no more than needed is dropped");
            for number in first..sizes.len() {
                let datagram = queue.pop().unwrap();
                prop_assert_eq!(&datagram[..4], &u32::try_from(number).unwrap().to_be_bytes());
            }
            prop_assert_eq!(queue.bytes, 0);
        }
    }

    #[tokio::test]
    async fn the_driver_is_told_once_until_it_has_looked_and_everybody_of_the_end() {
        let mail = Mail::default();
        assert!(mail.post(Bytes::from_static(b"one")));
        assert!(!mail.post(Bytes::from_static(b"two")));
        assert_eq!(mail.outgoing().as_deref(), Some(b"one".as_slice()));
        assert!(!mail.post(Bytes::from_static(b"three")), "it goes on looking");
        while mail.outgoing().is_some() {}
        assert!(mail.post(Bytes::from_static(b"four")));
        mail.arrived(Bytes::from_static(b"last"));
        mail.end();
        assert!(!mail.post(Bytes::from_static(b"late")));
        assert_eq!(mail.next().await.as_deref(), Some(b"last".as_slice()), "what had arrived is not lost");
        assert_eq!(mail.next().await, None);
        assert_eq!(mail.next().await, None);
    }
}
