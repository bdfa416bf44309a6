//! What is measured, and how: memory and processor time as the kernel counts them, bytes by the clock, medians of five.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use gatelodge_tests::{
    story::{self, Stage},
    wait::{measure_for, wait_until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, ToSocketAddrs},
};

use crate::output::Row;

const REST: Duration = Duration::from_secs(30);
const BULK: usize = 64 << 20;
const ROUNDS: usize = 5;

/// The connected agent while nothing happens.
pub(crate) async fn at_rest(stage: &Stage) -> anyhow::Result<[Row; 2]> {
    let id = stage.agent.id().context("the agent runs")?;
    let before = processor_seconds(id)?;
    measure_for(REST).await;
    let spent = processor_seconds(id)? - before;
    Ok([
        Row::alone("agent_rss_mib", resident_kib(id)? / 1024.0, "MiB"),
        Row::alone("agent_idle_cpu_percent", spent / REST.as_secs_f64() * 100.0, "%"),
    ])
}

/// The memory of a process that is not swapped out (proc(5), `/proc/PID/status`).
pub(crate) fn resident_kib(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("the process is gone")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    resident.trim().trim_end_matches(" kB").parse().context("VmRSS is a number")
}

/// Echoed bytes through technician, relay and agent, beside the same over loopback alone.
pub(crate) async fn forward_vs_loopback(stage: &mut Stage) -> anyhow::Result<Row> {
    let open = story::forward(stage, "panel-echo").await?;
    let through = ("127.0.0.1", open.port);
    wait_until("the session carries bytes", Duration::from_secs(30), async || Ok(Some(echoed(through, 1024).await?)))
        .await?;
    let (mut session, mut direct) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.push(echoed(stage.panel.echo, BULK).await?);
        session.push(echoed(through, BULK).await?);
    }
    let (session, direct) = (median(session), median(direct));
    Ok(Row::beside("forward_vs_loopback", session, "MB/s", "loopback", direct))
}

/// Sends that many bytes and reads them back; gives megabytes per second in one direction.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn echoed(to: impl ToSocketAddrs, bytes: usize) -> anyhow::Result<f64> {
    let mut stream = TcpStream::connect(to).await?;
    let began = Instant::now();
    let (mut from, mut into) = stream.split();
    let send = async {
        let block = vec![0x5a; bytes.min(1 << 16)];
        for _ in 0..bytes / block.len() {
            into.write_all(&block).await?;
        }
        into.shutdown().await
    };
    let receive = async {
        let (mut block, mut left) = (vec![0; 1 << 16], bytes);
        while left > 0 {
            let got = from.read(&mut block).await?;
            anyhow::ensure!(got > 0, "the echo ended {left} bytes early");
            left -= got.min(left);
        }
        Ok(())
    };
    let (sent, received) = tokio::join!(send, receive);
    sent?;
    received?;
    Ok(bytes as f64 / 1e6 / began.elapsed().as_secs_f64())
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// So many in that time, a second.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn rate(count: usize, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64()
}

/// User and system time of a process and its children (proc(5), `/proc/PID/stat`).
fn processor_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("the agent is gone")?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    // Fields 14 to 17; the first after the name is field 3. A tick is 10 ms on every Linux that Rust runs on.
    let ticks = after_name.split(' ').skip(11).take(4).map(str::parse::<u32>);
    Ok(ticks.collect::<Result<Vec<_>, _>>()?.into_iter().map(|ticks| f64::from(ticks) / 100.0).sum())
}
