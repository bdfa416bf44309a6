//! The outbox through kill -9, torn writes and overflow.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use gatelodge_proto::{DeviceId, Random, Timestamp};
use uuid::Uuid;

use super::*;

fn device() -> DeviceId {
    DeviceId::make(Timestamp::from_seconds(1_800_000_000), &Random::seeded(1))
}

fn place(seq: u64) -> Position {
    Position { boot: 1, boot_id: Uuid::from_u128(7), seq }
}

fn up(kind: Up) -> Topic {
    Topic::Up(device(), kind)
}

fn waiting(outbox: &Outbox) -> Vec<u64> {
    outbox.entries().map(|entry| entry.position.seq).collect()
}

/// Not a test: the process that the next one kills. It adds events and says so after each.
#[test]
#[ignore = "runs as the child of what_was_added_survives_kill_9"]
fn child_that_adds_until_it_is_killed() {
    let folder = std::env::var_os("OUTBOX_FOLDER").unwrap();
    let mut outbox = Outbox::open(Path::new(&folder)).unwrap();
    for seq in 1.. {
        outbox.add(up(Up::Event), place(seq), b"{}".to_vec()).unwrap();
        println!("added {seq}");
    }
}

#[test]
fn what_was_added_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outbox::tests::child_that_adds_until_it_is_killed", "--ignored", "--nocapture"])
        .env("OUTBOX_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while said < 40 {
        let line = lines.next().unwrap().unwrap();
        if let Some(number) = line.strip_prefix("added ") {
            said = number.parse().unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines.map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("added ").and_then(|number| number.parse().ok()) {
            said = number;
        }
    }

    let outbox = Outbox::open(folder.path()).unwrap();
    let kept = waiting(&outbox);
    assert!(kept.len() as u64 >= said, "{} kept, {said} promised", kept.len());
    assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_torn_last_record_is_dropped_and_the_rest_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    for seq in 1..=3 {
        outbox.add(up(Up::Event), place(seq), b"{\"a\":1}".to_vec()).unwrap();
    }
    drop(outbox);
    let path = folder.path().join("outbox.log");
    let bytes = std::fs::read(&path).unwrap();
    for cut in 1..=20 {
        std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        let mut outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(waiting(&outbox), [1, 2], "{cut} bytes torn off");
        outbox.add(up(Up::Event), place(4), b"{}".to_vec()).unwrap();
        drop(outbox);
        assert_eq!(waiting(&Outbox::open(folder.path()).unwrap()), [1, 2, 4]);
    }
}

#[test]
fn a_receipt_ends_the_waiting_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    for seq in 1..=3 {
        outbox.add(up(Up::Result), place(seq), b"{}".to_vec()).unwrap();
    }
    assert!(outbox.receipt(place(2).into()).unwrap());
    assert!(!outbox.receipt(place(2).into()).unwrap(), "a second receipt is no news");
    drop(outbox);
    assert_eq!(waiting(&Outbox::open(folder.path()).unwrap()), [1, 3]);
}

#[test]
fn only_the_newest_report_and_renewal_wait_and_history_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    let mut seq = 0;
    let mut add = |outbox: &mut Outbox, kind| {
        seq += 1;
        outbox.add(up(kind), place(seq), b"{}".to_vec()).unwrap();
    };
    for kind in [Up::Report, Up::Renew, Up::Report, Up::Renew] {
        add(&mut outbox, kind);
    }
    assert_eq!(waiting(&outbox), [3, 4]);
    for _ in 0..HISTORY + 5 {
        add(&mut outbox, Up::Event);
    }
    let kept = waiting(&outbox);
    assert_eq!(kept.len(), HISTORY + 2);
    assert_eq!(kept[..3], [3, 4, 10], "report and renewal stay, the oldest events went");
    drop(outbox);
    assert_eq!(waiting(&Outbox::open(folder.path()).unwrap()), kept);
}

#[test]
fn the_file_does_not_grow_with_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    for seq in 1..=300 {
        outbox.add(up(Up::Report), place(seq), b"{}".to_vec()).unwrap();
    }
    let lines = std::fs::read_to_string(folder.path().join("outbox.log")).unwrap().lines().count();
    assert!(lines < 80, "{lines} lines for one waiting report");
    outbox.clear().unwrap();
    assert!(outbox.is_empty() && Outbox::open(folder.path()).unwrap().is_empty());
}

#[test]
fn what_is_added_together_is_all_there_afterwards_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(folder.path()).unwrap();
    outbox.add(up(Up::Event), place(1), b"{}".to_vec()).unwrap();
    let together = (2..=40).map(|seq| (up(Up::Event), place(seq), b"{}".to_vec())).collect();
    outbox.add_all(together).unwrap();
    outbox.add_all(Vec::new()).unwrap();
    assert_eq!((outbox.len(), outbox.bytes()), (40, 80));
    outbox.receipt(place(3).into()).unwrap();
    drop(outbox);
    let kept: Vec<_> = (1..=40).filter(|seq| *seq != 3).collect();
    assert_eq!(waiting(&Outbox::open(folder.path()).unwrap()), kept);
}
