//! A TCP proxy that makes a network as bad as it can get: it delays, trickles, stalls one way, resets at a byte, and
//! duplicates and reorders whole MQTT messages. Behind `gatelodge-chaos` and the fault tests.
//!
//! What it can do depends on what it sees. On bytes it does not understand, which TLS always is, it delays, trickles,
//! stalls and resets; it never changes, repeats or reorders them, as TLS would only end the connection. Messages it
//! duplicates and reorders where MQTT is in the clear: on a plain listener, or between two TLS connections of its own
//! ([`Termination`]), for which it needs a certificate that the client trusts and the client's own key.

mod carry;
mod frame;
mod shuffle;
mod tls;

use std::{
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use gatelodge_proto::Random;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub use frame::{Frame, Kind, NotMqtt, Splitter};
pub use shuffle::Shuffle;
pub use tls::{Pem, Termination};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What goes wrong, for every connection, from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Each byte arrives this much later.
    pub delay: Duration,
    /// Bytes arrive no faster than this.
    pub bytes_per_second: Option<NonZeroU32>,
    /// Nothing goes up, and nobody is told.
    pub stall_up: bool,
    /// Nothing comes down, and nobody is told.
    pub stall_down: bool,
    /// The connection is reset when so many bytes have gone that way.
    pub reset_at: Option<(Direction, u64)>,
    /// Of a hundred MQTT messages so many arrive twice.
    pub duplicate_percent: u8,
    /// So many MQTT messages change places with each other; 0 and 1 leave the order as it is.
    pub reorder: usize,
}

/// What a proxy is started with.
#[derive(Debug)]
pub struct Setup {
    /// Where clients come to.
    pub listen: SocketAddr,
    /// Where they wanted to go, as `host:port`.
    pub to: String,
    /// Whether what passes is read as MQTT.
    pub mqtt: bool,
    /// TLS on both sides, ended here.
    pub tls: Option<Termination>,
    /// Decides which message is hit.
    pub seed: u64,
    /// What goes wrong from the start.
    pub faults: Faults,
}

/// What has gone wrong so far.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    resets: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
}

/// A running proxy; dropping it ends every connection.
#[derive(Debug)]
pub struct Chaos {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    cuts: watch::Sender<u64>,
    counts: Arc<Counts>,
    server: JoinSet<()>,
}

/// What every connection of a proxy shares.
#[derive(Clone)]
struct Plan {
    to: Arc<str>,
    mqtt: bool,
    tls: Option<Termination>,
    random: Random,
    faults: watch::Receiver<Faults>,
    cuts: watch::Receiver<u64>,
    counts: Arc<Counts>,
}

impl Faults {
    /// Whether nothing passes that way now.
    pub const fn stalls(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.stall_up,
            Direction::Down => self.stall_down,
        }
    }
}

impl fmt::Display for Faults {
    /// What a person wants to see repeated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        if !self.delay.is_zero() {
            said.push(format!("delay {:?}", self.delay));
        }
        said.extend(self.bytes_per_second.map(|rate| format!("at most {rate} bytes a second")));
        said.extend(self.stall_up.then(|| "nothing goes up".to_owned()));
        said.extend(self.stall_down.then(|| "nothing comes down".to_owned()));
        said.extend(
            self.reset_at.map(|(direction, byte)| format!("reset after byte {byte} {direction:?}").to_lowercase()),
        );
        if self.duplicate_percent > 0 {
            said.push(format!("{} % of the messages twice", self.duplicate_percent));
        }
        if self.reorder > 1 {
            said.push(format!("{} messages out of order", self.reorder));
        }
        f.write_str(if said.is_empty() { "as they are" } else { "with faults: " })?;
        f.write_str(&said.join(", "))
    }
}

impl Setup {
    /// A proxy on a free loopback port that does nothing yet.
    pub fn to(to: impl Into<String>) -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            to: to.into(),
            mqtt: false,
            tls: None,
            seed: 0,
            faults: Faults::default(),
        }
    }
}

impl Counts {
    /// Connections taken.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections reset.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }

    /// Messages that arrived twice.
    pub fn duplicated(&self) -> u64 {
        self.duplicated.load(Ordering::Relaxed)
    }

    /// Messages that left later than one that came after them.
    pub fn reordered(&self) -> u64 {
        self.reordered.load(Ordering::Relaxed)
    }
}

impl Chaos {
    /// Starts listening.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(setup.listen)
            .await
            .with_context(|| format!("the proxy cannot listen on {}", setup.listen))?;
        let address = listener.local_addr().context("the proxy does not know its own address")?;
        let (faults, watched) = watch::channel(setup.faults);
        let (cuts, cut) = watch::channel(0);
        let counts = Arc::<Counts>::default();
        let plan = Plan {
            to: setup.to.into(),
            mqtt: setup.mqtt,
            tls: setup.tls,
            random: Random::seeded(setup.seed),
            faults: watched,
            cuts: cut,
            counts: Arc::clone(&counts),
        };
        let mut server = JoinSet::new();
        server.spawn(serve(listener, plan));
        Ok(Self { address, faults, cuts, counts, server })
    }

    /// Where clients come to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what goes wrong, for live connections too.
    pub fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// Resets every connection that is open now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cut| *cut += 1);
    }

    /// What has gone wrong so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Runs until it is dropped.
    pub async fn ended(&mut self) {
        while self.server.join_next().await.is_some() {}
    }
}

async fn serve(listener: TcpListener, plan: Plan) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => {
                    plan.counts.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection(client, from, plan.clone()));
                }
                // Out of file descriptors: those in use will come back.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, from: SocketAddr, plan: Plan) {
    let to = Arc::clone(&plan.to);
    match TcpStream::connect(&*to).await {
        Ok(server) => match carry::carry(client, server, plan).await {
            Ok(()) => tracing::debug!(%from, "a connection ended"),
            Err(error) => tracing::info!(%from, %error, "a connection ended"),
        },
        Err(error) => tracing::warn!(%from, to = &*to, %error, "the server cannot be reached"),
    }
}

#[cfg(test)]
mod tests;
