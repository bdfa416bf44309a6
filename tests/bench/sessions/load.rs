//! What stands at the far end of each tunnel, and what is asked of it through the tunnel: bytes towards the technician,
//! an echo, a first byte. Everything is measured over a span of time, so that a slow tunnel costs no more time than a
//! fast one.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use gatelodge_tests::wait::measure_for;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::measure::rate;

/// Bytes without end.
const SEND: u8 = b'S';
/// Every byte back.
const ECHO: u8 = b'E';
const BLOCK: usize = 128 << 10;
const PING: usize = 64;
const WARM_UP: Duration = Duration::from_millis(700);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The far end; dropping it closes it.
pub(super) struct Load {
    pub(super) at: SocketAddr,
    _serving: JoinSet<()>,
}

impl Load {
    pub(super) async fn start(ip: Ipv4Addr) -> anyhow::Result<Self> {
        Self::at((ip, 0).into()).await
    }

    pub(super) async fn at(at: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(at).await.context("cannot open the far end")?;
        let at = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // A broken stream is its caller's affair.
                streams.spawn(async move { drop(serve(stream).await) });
                while streams.try_join_next().is_some() {}
            }
        });
        Ok(Self { at, _serving: serving })
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    if stream.read_u8().await? == SEND {
        let block = vec![0x5a; BLOCK];
        loop {
            stream.write_all(&block).await?;
        }
    }
    let mut block = vec![0; BLOCK];
    loop {
        let got = stream.read(&mut block).await?;
        if got == 0 {
            return Ok(());
        }
        stream.write_all(&block[..got]).await?;
    }
}

async fn ask(at: SocketAddr, verb: u8) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(at).await.context("the tunnel's port is closed")?;
    stream.set_nodelay(true)?;
    stream.write_u8(verb).await?;
    Ok(stream)
}

/// Streams that are read as fast as they come; dropping it breaks them off.
pub(super) struct Flow {
    bytes: Arc<AtomicU64>,
    reading: JoinSet<anyhow::Result<()>>,
}

impl Flow {
    /// So many streams towards the technician, warm.
    pub(super) async fn open(at: SocketAddr, streams: usize) -> anyhow::Result<Self> {
        let (bytes, mut reading) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for _ in 0..streams {
            let (mut stream, bytes) = (ask(at, SEND).await?, bytes.clone());
            reading.spawn(async move {
                let mut block = vec![0; BLOCK];
                loop {
                    let got = stream.read(&mut block).await?;
                    anyhow::ensure!(got > 0, "a stream ended while it was measured");
                    bytes.fetch_add(got as u64, Ordering::Relaxed);
                }
            });
        }
        warm_up().await;
        Ok(Self { bytes, reading })
    }

    /// Bytes within a span.
    pub(super) async fn take(&mut self, span: Duration) -> anyhow::Result<(u64, Duration)> {
        let (before, began) = (self.bytes.load(Ordering::Relaxed), Instant::now());
        measure_for(span).await;
        let (after, took) = (self.bytes.load(Ordering::Relaxed), began.elapsed());
        if let Some(ended) = self.reading.try_join_next() {
            ended??;
        }
        anyhow::ensure!(after > before, "no byte came through the tunnel");
        Ok((after - before, took))
    }
}

/// A stream towards the technician.
pub(super) async fn sending(at: SocketAddr) -> anyhow::Result<TcpStream> {
    ask(at, SEND).await
}

/// Until windows have grown.
pub(super) async fn warm_up() {
    measure_for(WARM_UP).await;
}

/// A stream that gives back what it is sent.
pub(super) struct Echo(TcpStream);

impl Echo {
    pub(super) async fn open(at: SocketAddr) -> anyhow::Result<Self> {
        ask(at, ECHO).await.map(Self)
    }

    /// There and back.
    pub(super) async fn turn(&mut self, within: Duration) -> anyhow::Result<()> {
        self.0.write_all(&[7; PING]).await?;
        tokio::time::timeout(within, self.0.read_exact(&mut [0; PING])).await.context("no echo came back")??;
        Ok(())
    }
}

/// Streams that nobody reads, until all windows are full.
pub(super) async fn stalled(at: SocketAddr, streams: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(streams);
    for _ in 0..streams {
        open.push(ask(at, SEND).await?);
    }
    measure_for(Duration::from_secs(3)).await;
    Ok(open)
}

/// Round trips of a few bytes, one after the other, in microseconds, sorted.
pub(super) async fn round_trips(at: SocketAddr, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut echo = Echo::open(at).await?;
    let mut trips = Vec::with_capacity(count);
    for turn in 0..count + count / 10 {
        let began = Instant::now();
        echo.turn(ANSWER_WITHIN).await?;
        if turn >= count / 10 {
            trips.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    trips.sort_by(f64::total_cmp);
    Ok(trips)
}

/// The value that so many per cent of a sorted list do not exceed.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// New streams a second, each open when its first byte is back, so many at a time.
pub(super) async fn opens(at: SocketAddr, abreast: usize, span: Duration) -> anyhow::Result<f64> {
    let (mut opening, until) = (JoinSet::new(), Instant::now() + span);
    let began = Instant::now();
    for _ in 0..abreast {
        opening.spawn(async move {
            let mut opened = 0;
            while Instant::now() < until {
                // One that is refused, as beyond a limit, is not open.
                let opens = async { Echo::open(at).await?.turn(ANSWER_WITHIN).await };
                opened += usize::from(opens.await.is_ok());
            }
            opened
        });
    }
    let mut opened = 0;
    while let Some(one) = opening.join_next().await {
        opened += one?;
    }
    anyhow::ensure!(opened > 0, "no new stream opened");
    Ok(rate(opened, began.elapsed()))
}
