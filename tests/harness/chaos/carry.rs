//! Carries one connection's bytes both ways under the faults of the moment. The only place that touches sockets and
//! time; what is duplicated and reordered is decided by [`Shuffle`].

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::Ordering,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::Random;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout_at},
};

use super::{Counts, Direction, Faults, Plan, Shuffle, Splitter};

/// Messages are held back for each other at most this long.
const QUIET: Duration = Duration::from_millis(20);
/// Pieces that may be under way in one direction.
const UNDER_WAY: usize = 256;
const CHUNK: usize = 16 * 1024;

/// Why a connection ended before both sides had said all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("it was reset as ordered")]
    Reset,
    #[error(transparent)]
    NotMqtt(#[from] super::NotMqtt),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The sockets beneath, so that a reset reaches them through whatever is above.
struct Sockets([OwnedFd; 2]);

impl Sockets {
    fn of(client: &TcpStream, server: &TcpStream) -> io::Result<Self> {
        Ok(Self([client.as_fd().try_clone_to_owned()?, server.as_fd().try_clone_to_owned()?]))
    }

    /// Closing them sends RST instead of FIN from now on (SO_LINGER with zero seconds, socket(7)).
    fn reset(&self) {
        for socket in &self.0 {
            // One that is gone already needs no reset.
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
}

pub(super) async fn carry(client: TcpStream, server: TcpStream, plan: Plan) -> Result<(), Broken> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let sockets = Sockets::of(&client, &server)?;
    let mut cuts = plan.cuts.clone();
    cuts.mark_unchanged();
    let counts = plan.counts.clone();
    let carried = async {
        match plan.tls.clone() {
            Some(tls) => {
                let (client, server) = tls.shake_hands(client, server).await?;
                both(tokio::io::split(client), tokio::io::split(server), &plan).await
            }
            // Halves that are owned apart say FIN when they are dropped, and a reset must say nothing before.
            None => both(tokio::io::split(client), tokio::io::split(server), &plan).await,
        }
    };
    let ended = tokio::select! {
        ended = carried => ended,
        // The sender lives as long as the proxy.
        Ok(()) = cuts.changed() => Err(Broken::Reset),
    };
    if matches!(ended, Err(Broken::Reset)) {
        sockets.reset();
        counts.resets.fetch_add(1, Ordering::Relaxed);
    }
    ended
}

async fn both<R1, W1, R2, W2>(client: (R1, W1), server: (R2, W2), plan: &Plan) -> Result<(), Broken>
where
    R1: AsyncRead + Unpin,
    W1: AsyncWrite + Unpin,
    R2: AsyncRead + Unpin,
    W2: AsyncWrite + Unpin,
{
    let ((from_client, to_client), (from_server, to_server)) = (client, server);
    tokio::try_join!(
        one_way(from_client, to_server, Direction::Up, plan),
        one_way(from_server, to_client, Direction::Down, plan),
    )?;
    Ok(())
}

async fn one_way(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    direction: Direction,
    plan: &Plan,
) -> Result<(), Broken> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    let intake = Intake {
        direction,
        faults: plan.faults.clone(),
        queue: sender,
        counts: &plan.counts,
        splitter: Splitter::default(),
        shuffle: Shuffle::new(Random::seeded(plan.random.below(u64::MAX))),
    };
    let outlet = Outlet { direction, faults: plan.faults.clone(), queue: receiver, passed: 0 };
    tokio::try_join!(intake.run(from, plan.mqtt), outlet.run(to))?;
    Ok(())
}

/// Reads, and gives each piece the moment at which it leaves.
struct Intake<'a> {
    direction: Direction,
    faults: watch::Receiver<Faults>,
    queue: mpsc::Sender<(Instant, Bytes)>,
    counts: &'a Counts,
    splitter: Splitter,
    shuffle: Shuffle,
}

impl Intake<'_> {
    async fn run(mut self, mut from: impl AsyncRead + Unpin, mqtt: bool) -> Result<(), Broken> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        loop {
            // Dropping a read that has not ended loses no byte.
            let quiet = Instant::now() + QUIET;
            let read = if self.shuffle.is_empty() {
                from.read_buf(&mut chunk).await?
            } else if let Ok(read) = timeout_at(quiet, from.read_buf(&mut chunk)).await {
                read?
            } else {
                let held = self.shuffle.flush();
                self.leave(held.into_iter().map(|frame| frame.bytes)).await;
                continue;
            };
            if read == 0 {
                let held = self.shuffle.flush();
                self.leave(held.into_iter().map(|frame| frame.bytes)).await;
                let rest = std::mem::take(&mut self.splitter).rest();
                self.leave([rest]).await;
                return Ok(());
            }
            let bytes = chunk.split().freeze();
            if !mqtt {
                self.leave([bytes]).await;
                continue;
            }
            self.splitter.push(&bytes);
            while let Some(frame) = self.splitter.take()? {
                let (percent, window) = {
                    let faults = self.faults.borrow();
                    (faults.duplicate_percent, faults.reorder)
                };
                let leaving = self.shuffle.push(frame, percent, window);
                self.leave(leaving.into_iter().map(|frame| frame.bytes)).await;
            }
        }
    }

    async fn leave(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        let (duplicated, reordered) = self.shuffle.take_counts();
        self.counts.duplicated.fetch_add(duplicated, Ordering::Relaxed);
        self.counts.reordered.fetch_add(reordered, Ordering::Relaxed);
        tracing::trace!(direction = ?self.direction, duplicated, reordered, "passing on");
        for piece in pieces {
            let at = Instant::now() + self.faults.borrow().delay;
            // Without an outlet the connection is over, which its end says.
            let _ = self.queue.send((at, piece)).await;
        }
    }
}

/// Writes each piece when its moment has come, unless the direction is stalled or the reset is due.
struct Outlet {
    direction: Direction,
    faults: watch::Receiver<Faults>,
    queue: mpsc::Receiver<(Instant, Bytes)>,
    passed: u64,
}

impl Outlet {
    async fn run(mut self, mut to: impl AsyncWrite + Unpin) -> Result<(), Broken> {
        while let Some((at, mut piece)) = self.queue.recv().await {
            sleep_until(at).await;
            while !piece.is_empty() {
                self.open().await;
                let next = piece.split_to(self.allowed(piece.len())?);
                to.write_all(&next).await?;
                to.flush().await?;
                self.passed += next.len() as u64;
                self.pace(next.len()).await;
            }
            // Byte `k` may have been the last of its piece.
            self.allowed(1)?;
        }
        self.open().await;
        to.shutdown().await?;
        Ok(())
    }

    /// Waits until the direction is not stalled.
    async fn open(&mut self) {
        let direction = self.direction;
        // The sender lives as long as the proxy.
        let _ = self.faults.wait_for(|faults| !faults.stalls(direction)).await;
    }

    /// How many of the next bytes may go at once.
    fn allowed(&self, wanted: usize) -> Result<usize, Broken> {
        let faults = self.faults.borrow();
        let mut allowed = wanted;
        if let Some((direction, at)) = faults.reset_at
            && direction == self.direction
        {
            let left = usize::try_from(at.saturating_sub(self.passed)).unwrap_or(usize::MAX);
            if left == 0 {
                return Err(Broken::Reset);
            }
            allowed = allowed.min(left);
        }
        if let Some(rate) = faults.bytes_per_second {
            // A trickle is felt when it comes in drops.
            allowed = allowed.min(usize::try_from(rate.get() / 20).unwrap_or(usize::MAX).max(1));
        }
        Ok(allowed)
    }

    async fn pace(&self, bytes: usize) {
        let rate = self.faults.borrow().bytes_per_second;
        if let Some(rate) = rate {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            sleep_until(Instant::now() + Duration::from_secs(1) * bytes / rate.get()).await;
        }
    }
}
