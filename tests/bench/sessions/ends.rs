//! How soon a session ends when somebody says so, and how soon it goes on after its relay was killed.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use super::{
    load::{self, percentile},
    ours::Ours,
};

const WITHIN: Duration = Duration::from_secs(60);

/// From the customer's press on Stop to the last byte at the technician's port, in milliseconds, sorted.
pub(super) async fn stops(ours: &mut Ours, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let open = ours.session().await?;
        let stream = load::sending(open.tunnel.at).await?;
        let reading = tokio::spawn(last_byte(stream));
        load::warm_up().await;
        ours.watch().await?;
        let pressed = Instant::now();
        ours.stop(&open.id).await?;
        let last = tokio::time::timeout(WITHIN, reading).await.context("the session did not end")??;
        took.push(last.saturating_duration_since(pressed).as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}

/// When the last byte of a stream came.
async fn last_byte(mut stream: TcpStream) -> Instant {
    let (mut block, mut last) = (vec![0; 128 << 10], Instant::now());
    while let Ok(1..) = stream.read(&mut block).await {
        last = Instant::now();
    }
    last
}

/// From the moment at which a killed relay listens again to the next answer through a stream that was open all the
/// time, in seconds.
pub(super) async fn comes_back(ours: &mut Ours, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let open = ours.session().await?;
    let mut echo = load::Echo::open(open.tunnel.at).await?;
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        echo.turn(WITHIN).await?;
        ours.kill_relay()?;
        let waiting = echo.turn(WITHIN);
        let (listens, answered) = tokio::join!(ours.serve_again(), async {
            waiting.await?;
            anyhow::Ok(Instant::now())
        });
        took.push(answered?.saturating_duration_since(listens?).as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    anyhow::ensure!(percentile(&took, 100) < WITHIN.as_secs_f64(), "the stream did not go on");
    Ok(took)
}
