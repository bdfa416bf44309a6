//! One direction of a session inside the relay: a queue counted in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use gatelodge_proto::session::relay_frame::MAX_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Most bytes that a direction holds: the frame its reader waits with, the queue, the frame being written, and what
/// the connection gathers for one write.
pub(super) const BUFFER: usize = 256 * 1024;
/// What the connection gathers for one write.
pub(super) const GATHERED: usize = 32 * 1024;
const QUEUE: usize = BUFFER - 2 * MAX_BYTES - GATHERED;
/// A frame counts for at least this much, for what it costs besides its bytes.
const LEAST: usize = 256;

/// Where the reader of one leg puts frames.
pub(super) struct Inlet {
    queue: mpsc::UnboundedSender<Held>,
    room: Arc<Semaphore>,
    carried: Arc<AtomicU64>,
}

/// Where the writer of the other leg takes them.
pub(super) struct Outlet(mpsc::UnboundedReceiver<Held>);

/// A frame that counts until it is dropped.
pub(super) struct Held {
    pub(super) frame: Bytes,
    _room: OwnedSemaphorePermit,
}

/// An empty direction, which adds its bytes of payload to `carried`.
pub(super) fn direction(carried: Arc<AtomicU64>) -> (Inlet, Outlet) {
    let (queue, queued) = mpsc::unbounded_channel();
    (Inlet { queue, room: Arc::new(Semaphore::new(QUEUE)), carried }, Outlet(queued))
}

impl Inlet {
    /// Waits until there is room for the frame. False when nobody takes frames any more.
    pub(super) async fn put(&self, frame: Bytes, payload: usize) -> bool {
        let cost = u32::try_from(frame.len().max(LEAST)).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().acquire_many_owned(cost).await else { return false };
        self.carried.fetch_add(payload as u64, Ordering::Relaxed);
        self.queue.send(Held { frame, _room: room }).is_ok()
    }
}

impl Outlet {
    /// The next frame.
    pub(super) async fn take(&mut self) -> Option<Held> {
        self.0.recv().await
    }

    /// The next frame if it is there already.
    pub(super) fn take_now(&mut self) -> Option<Held> {
        self.0.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_direction_takes_no_more_than_its_queue_until_somebody_reads() {
        let carried = Arc::default();
        let (inlet, mut outlet) = direction(Arc::clone(&carried));
        let mut held = 0;
        let frame = Bytes::from(vec![0; QUEUE / 4]);
        while tokio::time::timeout(std::time::Duration::from_millis(50), inlet.put(frame.clone(), 1)).await.is_ok() {
            held += frame.len();
        }
        assert_eq!(held, QUEUE);
        drop(outlet.take().await);
        assert!(inlet.put(frame, 1).await);
        assert_eq!(carried.load(Ordering::Relaxed), 5);
    }

    #[tokio::test]
    async fn frames_without_bytes_are_counted_too() {
        let (inlet, _outlet) = direction(Arc::default());
        let mut frames = 0;
        let empty = Bytes::from_static(&[5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        while tokio::time::timeout(std::time::Duration::from_millis(50), inlet.put(empty.clone(), 0)).await.is_ok() {
            frames += 1;
        }
        assert_eq!(frames, QUEUE / LEAST);
    }
}
