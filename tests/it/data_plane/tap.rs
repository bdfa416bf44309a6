//! Listens between the relay and its legs, to see what the relay sees. Records what the relay sends to either leg:
//! what a leg sends is masked on the way (RFC 6455 section 5.3), and would look encrypted even if it were not.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Clone)]
pub(super) struct Tap {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    /// The next long piece on its way to a leg gets a bit turned.
    flips: Arc<AtomicBool>,
    /// Whether it passes anything on.
    cut: watch::Sender<bool>,
}

impl Tap {
    pub(super) async fn before(relay: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            flips: Arc::default(),
            cut: watch::Sender::new(false),
        };
        let (seen, flips, cut) = (tap.seen.clone(), tap.flips.clone(), tap.cut.subscribe());
        tokio::spawn(async move {
            while let Ok((leg, _)) = listener.accept().await {
                let (seen, flips, mut cut) = (seen.clone(), flips.clone(), cut.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(leg, relay, seen, flips) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        tap
    }

    /// Turns a bit of what is carried next.
    pub(super) fn flip(&self) {
        self.flips.store(true, Ordering::Relaxed);
    }

    /// From here on nobody reaches the relay.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// How often `word` was seen, and how many bytes in all.
    pub(super) fn saw(&self, word: &[u8]) -> (usize, usize) {
        let seen = self.seen.lock().unwrap();
        (seen.windows(word.len()).filter(|window| *window == word).count(), seen.len())
    }
}

async fn pass(leg: TcpStream, relay: SocketAddr, seen: Arc<Mutex<Vec<u8>>>, flips: Arc<AtomicBool>) {
    let Ok(relay) = TcpStream::connect(relay).await else { return };
    leg.set_nodelay(true).unwrap();
    relay.set_nodelay(true).unwrap();
    let ((mut from_leg, mut to_leg), (mut from_relay, mut to_relay)) = (leg.into_split(), relay.into_split());
    let up = async {
        tokio::io::copy(&mut from_leg, &mut to_relay).await?;
        to_relay.shutdown().await
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_relay.read(&mut buffer).await?;
            if read == 0 {
                return to_leg.shutdown().await;
            }
            note(&seen, &buffer[..read]);
            if let Some(place) = ciphertext(&buffer[..read])
                && flips.swap(false, Ordering::Relaxed)
            {
                buffer[place] ^= 1;
            }
            to_leg.write_all(&buffer[..read]).await?;
        }
    };
    // Each direction ends by itself: closed with bytes unread, a connection takes back what has not left.
    let _: (io::Result<()>, io::Result<()>) = tokio::join!(up, down);
}

/// A place within the session's ciphertext: a changed header may look like a connection that was lost, or like nothing.
fn ciphertext(bytes: &[u8]) -> Option<usize> {
    /// Longer than the headers of one frame.
    const AROUND: usize = 48;
    // Offsets in headers begin with zeros; ciphertext has no such row.
    let zeros = |around: &[u8]| around.windows(3).any(|row| row == [0; 3]);
    (bytes.len() / 2..bytes.len().saturating_sub(AROUND))
        .find(|place| *place >= AROUND && bytes.len() > 16 * 1024 && !zeros(&bytes[place - AROUND..place + AROUND]))
}

/// Bulk transfers need no witness: the first mebibytes tell.
fn note(seen: &Mutex<Vec<u8>>, bytes: &[u8]) {
    let mut seen = seen.lock().unwrap();
    if seen.len() < 4 << 20 {
        seen.extend_from_slice(bytes);
    }
}
