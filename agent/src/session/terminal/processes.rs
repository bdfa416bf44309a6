//! The processes of a terminal, and their end: asked first (SIGHUP), then made to (SIGKILL). Touches no other process.

use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, waitpid};
use tokio::{process::Child, time::Instant};

/// How long a program may take to end after it was asked.
const GRACE: Duration = Duration::from_millis(400);
/// A program that starts others faster than they are ended is left to its parent's death.
const ROUNDS: usize = 50;

/// A process, as `/proc/PID/stat` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    session: i32,
    gone: bool,
}

/// Ends everything that runs in the terminal whose first process is `leader`, also what has left its process group.
pub(super) async fn end(leader: Option<Pid>, child: &mut Child) {
    let Some(leader) = leader else { return };
    let mut known = Vec::new();
    for (at, process) in of(leader, &mut known).into_iter().enumerate() {
        if at == 0 {
            let _ = kill_process_group(leader, Signal::HUP);
        }
        let _ = kill_process(process, Signal::HUP);
        // A stopped one cannot hear it.
        let _ = kill_process(process, Signal::CONT);
    }
    let deadline = Instant::now() + GRACE;
    for _ in 0..ROUNDS {
        let _ = child.try_wait();
        let left = of(leader, &mut known);
        if left.is_empty() {
            break;
        }
        if Instant::now() >= deadline {
            for process in left {
                let _ = kill_process(process, Signal::KILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _ = child.try_wait();
    // Those whose parent went before them are this process's to bury.
    for id in known {
        if id != leader.as_raw_nonzero().get()
            && let Some(process) = Pid::from_raw(id)
        {
            let _ = waitpid(Some(process), WaitOptions::NOHANG);
        }
    }
}

/// The terminal's processes that live: its session, and the descendants of its leader, also of another session. Those
/// once found stay known, whoever their parent is later.
fn of(leader: Pid, known: &mut Vec<i32>) -> Vec<Pid> {
    let all = processes();
    grow(&all, leader.as_raw_nonzero().get(), known);
    let own = getpid().as_raw_nonzero().get();
    let living = |id: &i32| all.iter().any(|process| process.id == *id && !process.gone);
    known.retain(|id| *id != own && all.iter().any(|process| process.id == *id));
    known.iter().filter(|id| living(id)).filter_map(|id| Pid::from_raw(*id)).collect()
}

fn grow(all: &[Process], leader: i32, known: &mut Vec<i32>) {
    loop {
        let before = known.len();
        for process in all {
            let belongs = process.id == leader || process.session == leader || known.contains(&process.parent);
            if belongs && !known.contains(&process.id) {
                known.push(process.id);
            }
        }
        if known.len() == before {
            return;
        }
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|id| parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?))
        .collect()
}

/// proc(5): the name in parentheses may hold anything.
fn parse(stat: &str) -> Option<Process> {
    let id = stat.split_once(' ')?.0.parse().ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let gone = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Process { id, parent, session, gone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let found = parse("812 (a) b (c)) S 7 811 810 0 -1").unwrap();
        assert_eq!(found, Process { id: 812, parent: 7, session: 810, gone: false });
        assert!(parse("812 (x) Z 7 811 810 0 -1").unwrap().gone);
        assert_eq!(parse("812 (x"), None);
    }

    #[test]
    fn children_in_other_sessions_and_their_children_belong_and_others_do_not() {
        let process = |id, parent, session| Process { id, parent, session, gone: false };
        let all = [process(1, 0, 1), process(40, 30, 40), process(30, 10, 10), process(10, 5, 10), process(5, 1, 5)];
        let mut known = Vec::new();
        grow(&all, 10, &mut known);
        known.sort_unstable();
        assert_eq!(known, [10, 30, 40]);
        // The parent in between has gone; who was known stays.
        grow(&[process(40, 1, 40), process(41, 40, 40)], 10, &mut known);
        assert!(known.contains(&41));
    }
}
