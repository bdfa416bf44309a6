//! How fast a relay passes on what a session, a device and an organisation send: the slowest of the limits holds, each
//! way for itself. It delays and never drops: while a reader waits here, it reads nothing more.

use std::{
    collections::HashMap,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use gatelodge_proto::session::{Bucket, Role};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

/// After so long without a wait nobody is held up any more.
const FREE_AFTER: Duration = Duration::from_secs(5);

/// Whose limit it is. The sessions of one share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Of the one session.
    Session(Uuid),
    /// Of all sessions with one device.
    Device(Uuid),
    /// Of all sessions of one technician's organisation.
    Organisation(Uuid),
}

/// So much a second, each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Whose.
    pub whose: Whose,
    /// How much.
    pub bytes_per_s: NonZeroU64,
}

/// The two directions of one limit.
type Shared = Arc<[Mutex<Bucket>; 2]>;

/// The limits of all sessions that are here.
#[derive(Debug, Default)]
pub(super) struct Brakes(Mutex<HashMap<Whose, Weak<[Mutex<Bucket>; 2]>>>);

/// What one session has to keep to.
#[derive(Debug)]
pub(super) struct Brake {
    limits: Vec<Shared>,
    /// The rate that has held somebody up lately; 0 when none has.
    felt: watch::Sender<u64>,
    felt_at: Mutex<Instant>,
}

impl Brakes {
    /// For a session that begins here; `None` without a limit.
    pub(super) fn of(&self, limits: Vec<Limit>, now: Instant) -> Option<Arc<Brake>> {
        if limits.is_empty() {
            return None;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, bucket| bucket.strong_count() > 0);
        let shared = |limit: Limit| {
            let full = || Mutex::new(Bucket::new(limit.bytes_per_s, now.into_std()));
            let found = known.get(&limit.whose).and_then(Weak::upgrade);
            let shared = found.unwrap_or_else(|| Arc::new([full(), full()]));
            known.insert(limit.whose, Arc::downgrade(&shared));
            shared
        };
        let limits = limits.into_iter().map(shared).collect();
        Some(Arc::new(Brake { limits, felt: watch::Sender::new(0), felt_at: Mutex::new(now) }))
    }
}

impl Brake {
    /// Waits until these bytes of this end may go on.
    pub(super) async fn pass(&self, from: Role, bytes: usize) {
        let (wait, rate) = self.take(from, bytes, Instant::now());
        if !wait.is_zero() {
            self.felt.send_if_modified(|felt| std::mem::replace(felt, rate) != rate);
            sleep(wait).await;
        }
    }

    /// The rate that holds the session up, whenever it changes; 0 when none does any more.
    pub(super) fn felt(&self) -> watch::Receiver<u64> {
        let mut felt = self.felt.subscribe();
        if *felt.borrow() != 0 {
            felt.mark_changed();
        }
        felt
    }

    /// Pays with every limit; gives the longest wait and the rate that asks for it.
    fn take(&self, from: Role, bytes: usize, now: Instant) -> (Duration, u64) {
        let way = match from {
            Role::Technician => 0,
            Role::Device => 1,
        };
        let mut longest = (Duration::ZERO, 0);
        for limit in &self.limits {
            let mut bucket = limit[way].lock().unwrap_or_else(PoisonError::into_inner);
            let wait = bucket.take(bytes, now.into_std());
            if wait > longest.0 {
                longest = (wait, bucket.bytes_per_s().get());
            }
        }
        let mut felt_at = self.felt_at.lock().unwrap_or_else(PoisonError::into_inner);
        if !longest.0.is_zero() {
            *felt_at = now + longest.0;
        } else if now.saturating_duration_since(*felt_at) >= FREE_AFTER {
            self.felt.send_if_modified(|felt| std::mem::take(felt) != 0);
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: usize = 1000;

    fn limit(whose: Whose, bytes_per_s: u64) -> Limit {
        Limit { whose, bytes_per_s: NonZeroU64::new(bytes_per_s).unwrap() }
    }

    /// How long it takes to pass so much, by a clock that only waits move.
    async fn passes(brake: &Brake, from: Role, kilobytes: usize) -> Duration {
        let begun = Instant::now();
        for _ in 0..kilobytes {
            brake.pass(from, KB).await;
        }
        begun.elapsed()
    }

    fn about(took: Duration, seconds: u64) -> bool {
        // A burst of a tenth of a second is free.
        let (least, most) = (Duration::from_millis(seconds * 1000 - 101), Duration::from_millis(seconds * 1000 + 1));
        (least..=most).contains(&took)
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_limit_holds_each_way_for_itself() {
        let brakes = Brakes::default();
        let (device, session) = (Whose::Device(Uuid::from_u128(1)), Whose::Session(Uuid::from_u128(2)));
        let limits = vec![limit(device, 1_000_000), limit(session, 200_000)];
        let brake = brakes.of(limits, Instant::now()).unwrap();
        let felt = brake.felt();
        let (down, up) = tokio::join!(passes(&brake, Role::Technician, 2_000), passes(&brake, Role::Device, 2_000));
        assert!(about(down, 10) && about(up, 10), "{down:?} {up:?}");
        assert_eq!(*felt.borrow(), 200_000);
        assert!(brakes.of(Vec::new(), Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_one_device_share_its_limit_and_others_do_not() {
        let brakes = Brakes::default();
        let of = |device| brakes.of(vec![limit(Whose::Device(Uuid::from_u128(device)), 1_000_000)], Instant::now());
        let (first, second, other) = (of(1).unwrap(), of(1).unwrap(), of(2).unwrap());
        let all = [&first, &second, &other].map(|brake| passes(brake, Role::Device, 2_000));
        let [first_took, second_took, other_took] = futures_util::future::join_all(all).await[..] else { panic!() };
        assert!(about(first_took.max(second_took), 4), "{first_took:?} {second_took:?}");
        assert!(about(other_took, 2), "{other_took:?}");
        drop((first, second));
        // Who comes when all have left begins anew.
        let next = of(1).unwrap();
        assert!(about(passes(&next, Role::Device, 2_000).await, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_below_the_limit_feels_none_and_one_that_was_felt_is_forgotten() {
        let brakes = Brakes::default();
        let brake = brakes.of(vec![limit(Whose::Session(Uuid::from_u128(1)), 100_000)], Instant::now()).unwrap();
        let felt = brake.felt();
        assert_eq!(passes(&brake, Role::Device, 9).await, Duration::ZERO);
        assert_eq!(*felt.borrow(), 0);
        passes(&brake, Role::Device, 200).await;
        assert_eq!(*felt.borrow(), 100_000);
        tokio::time::advance(Duration::from_secs(6)).await;
        brake.pass(Role::Device, 100).await;
        assert_eq!(*felt.borrow(), 0);
    }
}
