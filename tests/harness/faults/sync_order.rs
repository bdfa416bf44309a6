//! No receipt leaves before its row is on disk, read from the system calls of the real cloud: between the arrival of
//! a message and its receipt there is a write to the database and, after it, a sync that has returned.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use gatelodge_proto::{Random, link::Event};

use super::{Length, under};
use crate::{
    cloud::{CloudSetup, TestCloud},
    site::Site,
    skip,
    speaker::Speaker,
};

/// TLS records with a message or a receipt are larger than this, those with an acknowledgement or a ping smaller.
const MESSAGE: u64 = 150;

/// What a trace says, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Bytes came from that port.
    Heard(u16, u64),
    /// Bytes go to that port.
    Sent(u16, u64),
    /// The database's log is being written.
    Written,
    /// What was written is on disk.
    Synced,
}

/// Plays it with so many messages; `None` when this machine has no strace.
pub async fn play(length: Length) -> anyhow::Result<Option<String>> {
    let Some(strace) = skip::find_or_skip("strace", "the order of sync and receipt")? else { return Ok(None) };
    let random = Random::seeded(length.seed);
    let mut cloud = TestCloud::prepare(CloudSetup::default())?;
    let trace = cloud.config().with_extension("strace");
    let calls = "trace=pwrite64,pwritev,fsync,fdatasync,read,recvfrom,recvmsg,write,writev,sendto,sendmsg";
    // As a grandchild: whoever kills the child kills the cloud and not its watcher.
    let mut wrapper: Vec<std::ffi::OsString> = ["-D", "-f", "-yy", "-s", "0", "-e", calls, "-o"].map(Into::into).into();
    wrapper.push(trace.clone().into());
    cloud.serve_under(|command| under(strace.as_os_str(), &wrapper, &command)).await?;
    let mut site = Site::around(cloud).await?;
    let unit = site.one().await?;
    let mut speaker = Speaker::enrol(&site, unit, &random).await?;
    let (link, mut events) = speaker.connect()?;
    loop {
        match events.next().await {
            Some(Event::Connected) => break,
            Some(Event::Disconnected { .. } | Event::Message(_)) => {}
            other => bail!("the device is not let in: {other:?}"),
        }
    }
    for _ in 0..length.rounds {
        speaker.say(&link, &mut events, Duration::from_secs(30)).await?;
    }
    link.close().await;
    let mqtt = site.cloud.mqtt_port();
    site.cloud.stop().await?;
    let judged = judge(&read(&trace)?, mqtt, length.rounds as usize)?;
    Ok(Some(format!("{judged} receipts, each after the sync of its row")))
}

fn read(trace: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(trace).with_context(|| format!("cannot read {}", trace.display()))
}

/// How many receipts were looked at; refuses the first that left too early.
fn judge(trace: &str, mqtt: u16, expected: usize) -> anyhow::Result<usize> {
    let steps = steps(trace, mqtt);
    let device = device_port(trace, mqtt, &steps).context("the trace shows no device that was heard")?;
    // The handshake came before; from there on message and receipt alternate.
    let of_device = |step: &Step| matches!(step, Step::Heard(port, size) | Step::Sent(port, size) if *port == device && *size > MESSAGE);
    let mut receipts = Vec::new();
    let mut heard_at = None;
    for (place, step) in steps.iter().enumerate().filter(|(_, step)| of_device(step)) {
        match step {
            Step::Heard(..) => heard_at = Some(place),
            Step::Sent(..) => receipts.extend(heard_at.take().map(|heard| (heard, place))),
            Step::Written | Step::Synced => {}
        }
    }
    ensure!(receipts.len() >= expected, "{expected} receipts came, and the trace shows {}", receipts.len());
    let receipts = &receipts[receipts.len() - expected..];
    for (number, (heard, sent)) in receipts.iter().enumerate() {
        let between = &steps[*heard..*sent];
        let Some(written) = between.iter().position(|step| *step == Step::Written) else {
            bail!("receipt {} of {expected} left before anything was written", number + 1);
        };
        let synced = between[written..].contains(&Step::Synced);
        ensure!(synced, "receipt {} of {expected} left between a write and its sync", number + 1);
    }
    Ok(receipts.len())
}

/// The peer of the endpoint that is no client of this very process and said most.
fn device_port(trace: &str, mqtt: u16, steps: &[Step]) -> Option<u16> {
    let mut heard = HashMap::<u16, usize>::new();
    for step in steps {
        if let Step::Heard(port, _) = step
            && !trace.contains(&format!(":{port}->127.0.0.1:{mqtt}]"))
        {
            *heard.entry(*port).or_default() += 1;
        }
    }
    heard.into_iter().max_by_key(|(_, count)| *count).map(|(port, _)| port)
}

fn steps(trace: &str, mqtt: u16) -> Vec<Step> {
    let mut begun = HashMap::<&str, (&str, Option<usize>)>::new();
    let mut steps = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ').map(|(thread, rest)| (thread, rest.trim_start())) else {
            continue;
        };
        // What goes out counts from the beginning of its call, what comes in or is safe from its end.
        let mut begin = |opening| {
            let step = outward(opening, mqtt)?;
            steps.push(step);
            Some(steps.len() - 1)
        };
        if let Some(opening) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (opening, begin(opening)));
            continue;
        }
        let resumed = call.starts_with("<...").then(|| begun.remove(thread)).flatten();
        let (opening, place) = resumed.unwrap_or_else(|| (call, begin(call)));
        // Only the end of a call says how many bytes it took.
        if let Some(Step::Sent(_, size)) = place.and_then(|place| steps.get_mut(place)) {
            *size = result(call).unwrap_or(0);
        }
        steps.extend(inward(opening, result(call), mqtt));
    }
    steps
}

fn outward(call: &str, mqtt: u16) -> Option<Step> {
    let name = call.split('(').next()?;
    if name.starts_with("pwrite") && is_log(call) {
        return Some(Step::Written);
    }
    let sends = ["write", "writev", "sendto", "sendmsg"].contains(&name);
    sends.then(|| peer(call, mqtt)).flatten().map(|port| Step::Sent(port, 0))
}

fn inward(call: &str, result: Option<u64>, mqtt: u16) -> Option<Step> {
    let name = call.split('(').next()?;
    if (name == "fdatasync" || name == "fsync") && is_log(call) && result == Some(0) {
        return Some(Step::Synced);
    }
    let hears = ["read", "recvfrom", "recvmsg"].contains(&name);
    hears.then(|| peer(call, mqtt)).flatten().zip(result).map(|(port, size)| Step::Heard(port, size))
}

fn is_log(call: &str) -> bool {
    call.split([',', ')']).next().is_some_and(|descriptor| descriptor.contains("-wal>"))
}

fn result(call: &str) -> Option<u64> {
    call.rsplit_once("= ")?.1.split(' ').next()?.parse().ok()
}

/// The port at the other end of a connection of the endpoint.
fn peer(call: &str, mqtt: u16) -> Option<u16> {
    let (_, rest) = call.split_once(&format!("TCP:[127.0.0.1:{mqtt}->127.0.0.1:"))?;
    rest.split(']').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: &str = "10 recvfrom(12<TCP:[127.0.0.1:8883->127.0.0.1:40000]>, \"\"..., 4096, 0, NULL, NULL) = 612\n";
    const SENT: &str =
        "10 sendto(12<TCP:[127.0.0.1:8883->127.0.0.1:40000]>, \"\"..., 312, MSG_NOSIGNAL, NULL, 0) = 312\n";
    const SENDING: &str = "10 writev(12<TCP:[127.0.0.1:8883->127.0.0.1:40000]>, [...], 1 <unfinished ...>\n";
    const SENT_NOW: &str = "10 <... writev resumed>)       = 312\n";
    const SMALL: &str =
        "10 sendto(12<TCP:[127.0.0.1:8883->127.0.0.1:40000]>, \"\"..., 28, MSG_NOSIGNAL, NULL, 0) = 28\n";
    const WRITTEN: &str = "11 pwrite64(9</d/gatelodge.db-wal>, \"\"..., 4096, 4128) = 4096\n";
    const SYNC_BEGINS: &str = "11 fdatasync(9</d/gatelodge.db-wal> <unfinished ...>\n";
    const SYNC_ENDS: &str = "11 <... fdatasync resumed>)          = 0\n";
    const OTHER_FILE: &str = "11 fdatasync(9</d/gatelodge.db>) = 0\n";

    fn of(lines: &[&str]) -> anyhow::Result<usize> {
        judge(&lines.concat(), 8883, 1)
    }

    #[test]
    fn a_receipt_after_write_and_sync_is_in_order() {
        let order = [HEARD, WRITTEN, SMALL, SYNC_BEGINS, SYNC_ENDS, SENT];
        assert_eq!(of(&order).unwrap(), 1);
        let order = [HEARD, WRITTEN, SYNC_BEGINS, SYNC_ENDS, SENDING, WRITTEN, SENT_NOW];
        assert_eq!(of(&order).unwrap(), 1);
    }

    #[test]
    fn a_receipt_before_the_end_of_its_sync_is_seen() {
        for order in [
            &[HEARD, WRITTEN, SYNC_BEGINS, SENT, SYNC_ENDS][..],
            &[HEARD, WRITTEN, OTHER_FILE, SENT],
            &[HEARD, WRITTEN, SENDING, SYNC_BEGINS, SYNC_ENDS, SENT_NOW],
            &[WRITTEN, SYNC_BEGINS, SYNC_ENDS, HEARD, SENT],
            &[HEARD, SYNC_BEGINS, SYNC_ENDS, WRITTEN, SENT],
        ] {
            assert!(of(order).unwrap_err().to_string().starts_with("receipt 1 of 1 left"), "{order:?}");
        }
    }

    #[test]
    fn a_trace_without_receipts_proves_nothing() {
        assert!(of(&[HEARD, WRITTEN, SMALL]).unwrap_err().to_string().contains("shows 0"));
        assert!(of(&[WRITTEN]).is_err());
    }
}
