//! Processor time of processes and all that they started (proc(5), `/proc/PID/stat`).

use std::collections::HashMap;

/// Seconds that a process and its living descendants have used, with those of their ended children.
pub(super) fn seconds(root: u32) -> f64 {
    let all: HashMap<u32, (u32, f64)> = processes().collect();
    all.iter().filter(|(id, _)| descends(**id, root, &all)).map(|(_, (_, seconds))| seconds).sum()
}

/// The living descendants of a process.
pub(super) fn descendants(root: u32) -> Vec<u32> {
    let all: HashMap<u32, (u32, f64)> = processes().collect();
    all.keys().copied().filter(|id| *id != root && descends(*id, root, &all)).collect()
}

fn descends(mut id: u32, root: u32, all: &HashMap<u32, (u32, f64)>) -> bool {
    while id != root {
        match all.get(&id) {
            Some((parent, _)) if *parent != 0 => id = *parent,
            _ => return false,
        }
    }
    true
}

/// Id, parent and processor seconds of every process.
fn processes() -> impl Iterator<Item = (u32, (u32, f64))> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| {
        let id = folder.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(folder.path().join("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = after_name.split(' ').collect();
        // Field 4 is the parent, fields 14 to 17 are times; the first after the name is field 3. A tick is 10 ms on
        // every Linux that Rust runs on.
        let ticks = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<f64>());
        let ticks: f64 = ticks.collect::<Result<Vec<_>, _>>().ok()?.into_iter().sum();
        Some((id, (fields.get(1)?.parse().ok()?, ticks / 100.0)))
    })
}
