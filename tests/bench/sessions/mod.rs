//! Sessions beside other people's tunnels, in one run on one machine: bytes, round trips, new streams, memory,
//! processor time per gigabyte. Every peer is asked the same, in turn, and each value is the median of its rounds.

mod ends;
mod load;
mod many;
mod ours;
mod peers;
mod processor;
mod tunnel;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

pub(crate) use self::many::serve_relay;
use self::{
    load::{Flow, Load, opens, percentile, stalled},
    ours::{Carriers, Installation, Ours},
    tunnel::{Bulk, Tunnel},
};
use gatelodge_tests::wait::measure_for;

use crate::{
    arguments::Sessions,
    measure::{median, resident_kib},
    output::{self, Row, progress},
};

/// Half of the round trip of the slow wire: what each of the two legs holds a byte, each way.
const LEG: Duration = Duration::from_millis(10);
const ABREAST: usize = 32;

pub(crate) async fn measure(agent: &Path, wanted: &Sessions) -> anyhow::Result<()> {
    let load = Load::start(Ipv4Addr::LOCALHOST).await?;
    let mut ours = Ours::open(agent, load.at, Carriers::WebSockets, None).await?;
    let open = ours.session().await?;
    let mut on_raw = Ours::open(agent, load.at, Carriers::Raw, None).await?;
    let raw = on_raw.session().await?.tunnel;
    let (session, process) = (open.tunnel, open.process);
    output::row(&Row::alone("session_rss_idle_mib", resident_kib(process)? / 1024.0, "MiB"));
    let direct = Tunnel::none(load.at);
    let peers = peers::all(wanted.peers.as_deref(), load.at).await?;
    bulk(wanted, &session, process, &direct, &raw, &peers).await?;
    drop((raw, on_raw));
    answers(wanted, &session, &direct, &peers).await?;
    drop(peers);
    new_streams(wanted, &session, &direct).await?;
    // Streams that have just been closed still count until both ends have said so.
    measure_for(Duration::from_secs(3)).await;
    let held = stalled(session.at, 64).await?;
    output::row(&Row::alone("session_rss_64_stalled_mib", resident_kib(process)? / 1024.0, "MiB"));
    drop((held, session));
    progress("stops");
    let stops = ends::stops(&mut ours, wanted.stops()).await?;
    output::row(&Row::alone("revoke_p99_ms", percentile(&stops, 99), "ms"));
    progress("a relay that is killed");
    let back = ends::comes_back(&mut ours, wanted.rounds()).await?;
    output::row(&Row::alone("relay_kill_resume_s", median(back), "s"));
    drop(ours);
    far_away(agent, wanted, load.at).await?;
    through_an_interface(agent, wanted).await?;
    progress("200 sessions at once");
    let shown = many::beside_each_other(wanted.span()).await?;
    output::row(&Row::alone("relay_idle_kib", shown.idle_kib, "KiB"));
    output::row(&Row::alone("sessions_200_fairness", shown.fairness, "1"));
    Ok(())
}

/// A far end for peers in another network namespace.
pub(crate) async fn serve_load(at: SocketAddr) -> anyhow::Result<()> {
    let _load = Load::at(at).await?;
    std::future::pending().await
}

/// Eight streams to the technician.
async fn bulk(
    wanted: &Sessions,
    session: &Tunnel,
    process: u32,
    direct: &Tunnel,
    raw: &Tunnel,
    peers: &[Tunnel],
) -> anyhow::Result<()> {
    let everybody: Vec<&Tunnel> = [session, direct, raw].into_iter().chain(peers).collect();
    let mut seen: Vec<Vec<Bulk>> = vec![Vec::new(); everybody.len()];
    let mut resident: f64 = 0.0;
    for round in 1..=wanted.rounds() {
        for (tunnel, seen) in everybody.iter().zip(&mut seen) {
            progress(&format!("8 streams, round {round} of {}: {}", wanted.rounds(), tunnel.name));
            seen.push(tunnel.bulk(8, wanted.span()).await?);
            if tunnel.middle == session.middle && tunnel.name == session.name {
                resident = resident.max(resident_kib(process)? / 1024.0);
            }
        }
    }
    let of = |seen: &[Bulk], what: fn(&Bulk) -> f64| median(seen.iter().map(what).collect());
    let speeds: Vec<f64> = seen.iter().map(|seen| of(seen, |bulk| bulk.mb_per_s)).collect();
    let costs: Vec<f64> = seen.iter().map(|seen| of(seen, |bulk| bulk.cpu_s_per_gb)).collect();
    output::row(&Row::beside("down8_mb_per_s", speeds[0], "MB/s", direct.name, speeds[1]));
    let ids = [
        ("rathole", "ratio_rathole_plain"),
        ("rathole over TLS", "ratio_rathole_tls"),
        ("rathole over Noise", "ratio_rathole_noise"),
        ("OpenSSH", "ratio_openssh"),
        ("OpenVPN over TCP", "ratio_openvpn_tcp"),
    ];
    for ((tunnel, speed), cost) in everybody.iter().zip(&speeds).zip(&costs).skip(3) {
        if let Some((_, id)) = ids.iter().find(|(name, _)| *name == tunnel.name) {
            output::row(&Row::beside(id, speeds[0], "MB/s", tunnel.name, *speed));
            progress(&format!("{}: {speed:.0} MB/s, {cost:.2} CPU seconds a gigabyte", tunnel.name));
        }
    }
    output::row(&Row::alone("cpu_s_per_gb_total", costs[0], "s/GB"));
    output::row(&Row::alone("cpu_s_per_gb_relay", of(&seen[0], |bulk| bulk.middle_s_per_gb), "s/GB"));
    output::row(&Row::alone("session_rss_8_bulk_mib", resident, "MiB"));
    output::row(&Row::beside("raw_down8_mb_per_s", speeds[2], "MB/s", session.name, speeds[0]));
    output::row(&Row::beside("raw_cpu_s_per_gb_total", costs[2], "s/GB", session.name, costs[0]));
    output::row(&Row::alone("raw_cpu_s_per_gb_relay", of(&seen[2], |bulk| bulk.middle_s_per_gb), "s/GB"));
    Ok(())
}

/// Small questions, alone and beside a bulk stream.
async fn answers(wanted: &Sessions, session: &Tunnel, direct: &Tunnel, peers: &[Tunnel]) -> anyhow::Result<()> {
    let (mut p50, mut p99, mut beside, mut rival) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=wanted.rounds() {
        progress(&format!("round trips, round {round} of {}", wanted.rounds()));
        let (bare, ours) = (direct.round_trip(wanted.trips()).await?, session.round_trip(wanted.trips()).await?);
        p50.push(ours.0 - bare.0);
        p99.push(ours.1 - bare.1);
        beside.push(percentile(&session.under_bulk(wanted.trips()).await?, 95) / 1e3);
        if let Some(peer) = peers.first() {
            rival.push(percentile(&peer.under_bulk(wanted.trips()).await?, 95) / 1e3);
        }
    }
    output::row(&Row::alone("rtt_added_p50_us", median(p50), "us"));
    output::row(&Row::alone("rtt_added_p99_us", median(p99), "us"));
    let (id, beside) = ("interactive_p95_ms_under_bulk", median(beside));
    output::row(&match peers.first() {
        Some(peer) => Row::beside(id, beside, "ms", peer.name, median(rival)),
        None => Row::alone(id, beside, "ms"),
    });
    Ok(())
}

async fn new_streams(wanted: &Sessions, session: &Tunnel, direct: &Tunnel) -> anyhow::Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=wanted.rounds() {
        progress(&format!("new streams, round {round} of {}", wanted.rounds()));
        bare.push(opens(direct.at, ABREAST, Duration::from_secs(1)).await?);
        ours.push(opens(session.at, ABREAST, Duration::from_secs(1)).await?);
    }
    output::row(&Row::beside("streams_opened_per_s", median(ours), "1/s", direct.name, median(bare)));
    Ok(())
}

/// One stream over a wire of 40 ms.
async fn far_away(agent: &Path, wanted: &Sessions, load: SocketAddr) -> anyhow::Result<()> {
    progress("one stream at a round trip of 40 ms");
    let mut ours = Ours::open(agent, load, Carriers::WebSockets, Some(LEG)).await?;
    let session = ours.session().await?.tunnel;
    let mut flow = Flow::open(session.at, 1).await?;
    flow.take(Duration::from_secs(2)).await?;
    let mut speeds = Vec::new();
    for _ in 0..wanted.rounds() {
        let (bytes, took) = flow.take(wanted.span()).await?;
        speeds.push(tunnel::megabytes(bytes) / took.as_secs_f64());
    }
    output::row(&Row::alone("rtt40_one_stream_mb_per_s", median(speeds), "MB/s"));
    Ok(())
}

/// One stream through `gatelodge vpn`; the processor time is that of the technician's process.
async fn through_an_interface(agent: &Path, wanted: &Sessions) -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        progress("without the technician's network interface: it needs root");
        return Ok(());
    }
    progress("one stream through an interface");
    let installation = Installation::make()?;
    let load = Load::at(installation.load).await?;
    let mut ours = Ours::open(agent, load.at, Carriers::WebSockets, None).await?;
    let vpn = ours.vpn().await?;
    let mut seen = Vec::new();
    for _ in 0..wanted.rounds() {
        seen.push(vpn.bulk(1, wanted.span()).await?);
    }
    output::row(&Row::alone("tun_mb_per_s", median(seen.iter().map(|bulk| bulk.mb_per_s).collect()), "MB/s"));
    let cost = median(seen.iter().map(|bulk| bulk.middle_s_per_gb).collect());
    output::row(&Row::alone("tun_cpu_s_per_gb", cost, "s/GB"));
    Ok(())
}
