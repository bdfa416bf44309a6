//! Limits delay and never drop: every byte arrives, and whoever is held up knows by whom and to what.

use std::num::NonZeroU64;

use gatelodge_cloud::sessions::relay::{Limit, Whose};
use gatelodge_technician::forward::Update;
use gatelodge_tests::panel::Panel;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::{Change, Live, PATIENCE, Plane, noise, service};

const KIB: usize = 1024;
const RATE: NonZeroU64 = NonZeroU64::new(512 * KIB as u64).unwrap();

/// Sends noise to an echo and has it back, hash-equal.
async fn echoes(live: &Live, bytes: usize) {
    let (mut reader, mut writer) = live.connect(0).await.into_split();
    let sent = noise(7, bytes);
    let expected = Sha256::digest(&sent);
    let write = async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let both = async { tokio::join!(write, reader.read_to_end(&mut back)) };
    tokio::time::timeout(PATIENCE, both).await.unwrap().1.unwrap();
    assert_eq!(back.len(), bytes);
    assert_eq!(Sha256::digest(&back), expected);
}

/// A session that has come up, and what the technician was told of rates.
async fn up(
    host: u8,
    plane: Plane,
    tweak: impl FnOnce(&mut Change),
) -> (Live, Option<NonZeroU64>, impl Fn() -> Option<u64>) {
    let panel = Panel::start(host).await.unwrap();
    let mut change = plane.change(&[service("echo", panel.echo)]);
    tweak(&mut change);
    let (plane, mut live) = plane.go(change).await;
    loop {
        let update = tokio::time::timeout(PATIENCE, live.updates.recv()).await.unwrap().unwrap();
        if let Update::Joined { rate, line, .. } = update {
            // They live as long as the test's runtime.
            std::mem::forget((panel, plane));
            return (live, rate, move || line.rate().map(NonZeroU64::get));
        }
    }
}

#[tokio::test]
async fn a_relays_limit_delays_every_byte_loses_none_and_is_told() {
    let plane = Plane::start().await;
    let limit = |whose, by: u64| Limit { whose, bytes_per_s: RATE.checked_mul(NonZeroU64::new(by).unwrap()).unwrap() };
    *plane.book.limits.lock().unwrap() =
        vec![limit(Whose::Session(Uuid::from_u128(1)), 4), limit(Whose::Device(Uuid::from_u128(1)), 1)];
    let (live, device, felt) = up(91, plane, |_| {}).await;
    assert_eq!((device, felt()), (None, None), "nobody is held up yet");
    echoes(&live, 1024 * KIB).await;
    assert_eq!(felt(), Some(RATE.get()), "the slowest of the limits");
}

#[tokio::test]
async fn a_devices_own_limit_loses_no_byte_and_is_said_from_the_beginning() {
    let plane = Plane::start().await;
    let (live, device, felt) =
        up(92, plane, |change| change.start = Box::new(|start| start.limits.rate = Some(RATE))).await;
    assert_eq!(device, Some(RATE));
    echoes(&live, 1024 * KIB).await;
    assert_eq!(felt(), None, "the relay holds nobody up");
}
