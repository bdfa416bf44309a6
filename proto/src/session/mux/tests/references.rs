//! The same random program over our streams, over yamux and over plain pipes: streams opened by either end, writes of
//! any split, half-closes, resets, readers that are slow or wait for others. The same bytes arrive at the same streams,
//! and the same ends are met.

mod grounds;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio_util::sync::CancellationToken;

use self::grounds::{Ours, Pipes, Yamux};

/// What happens on one stream.
#[derive(Debug, Clone)]
struct Plan {
    opener: usize,
    sides: [Side; 2],
    cut: Option<Cut>,
}

/// What one end of it does.
#[derive(Debug, Clone)]
struct Side {
    /// The lengths of its writes; then it finishes.
    writes: Vec<usize>,
    /// Most bytes that it reads at once,
    reads: usize,
    /// and how often others have their turn between.
    patience: usize,
    /// It begins to read when it has read the stream before to its end.
    waits: bool,
}

/// An end that does not finish: it has written, reads so many bytes, and breaks off. The other writes without end.
#[derive(Debug, Clone)]
struct Cut {
    by: usize,
    after: usize,
}

/// What one end has met.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// What it read; nothing of what was under way when the other end broke off.
    read: Bytes,
    /// Whether everything it wrote was taken.
    wrote: bool,
}

/// What a stream's end has to say next.
enum Next {
    Bytes(Bytes),
    End,
}

/// One end of a stream.
trait End {
    /// False when the other end has broken off.
    async fn write(&self, bytes: Bytes) -> bool;
    async fn finish(&self);
    async fn read(&self, most: usize) -> Next;
    fn reset(&self);
}

/// What streams are opened on. The ends are those of side 0 and side 1.
trait Ground {
    type End: End + 'static;
    fn lay(pipe: usize, tasks: &mut JoinSet<()>) -> Self;
    async fn open(&mut self, opener: usize) -> [Self::End; 2];
}

/// The byte that an end writes at a place on a stream.
fn byte(stream: usize, side: usize, at: usize) -> u8 {
    let mixed = (at ^ (at >> 8) ^ (at >> 16)).wrapping_mul(31) + stream * 7 + side * 101;
    mixed.to_le_bytes()[0]
}

fn bytes(stream: usize, side: usize, from: usize, length: usize) -> Bytes {
    (from..from + length).map(|at| byte(stream, side, at)).collect()
}

async fn write(end: &impl End, plan: &Plan, stream: usize, side: usize) -> bool {
    let endless = plan.cut.as_ref().is_some_and(|cut| cut.by != side);
    let writes = &plan.sides[side].writes;
    let mut at = 0;
    for length in writes.iter().copied().chain(std::iter::repeat(9_000).take_while(|_| endless)) {
        if !end.write(bytes(stream, side, at, length)).await {
            return false;
        }
        at += length;
    }
    if plan.cut.is_none() {
        end.finish().await;
    }
    true
}

async fn read(end: &impl End, plan: &Plan, side: usize) -> Vec<u8> {
    let Side { reads, patience, .. } = plan.sides[side];
    let most = plan.cut.as_ref().filter(|cut| cut.by == side).map_or(usize::MAX, |cut| cut.after);
    let mut whole = Vec::new();
    while whole.len() < most
        && let Next::Bytes(bytes) = end.read(reads.min(most - whole.len())).await
    {
        whole.extend_from_slice(&bytes);
        for _ in 0..patience {
            yield_now().await;
        }
    }
    whole
}

/// One end does what the plan says.
async fn play(end: impl End, plan: &Plan, (stream, side): (usize, usize), done: &[[CancellationToken; 2]]) -> Outcome {
    let reading = async {
        if plan.sides[side].waits && stream > 0 {
            done[stream - 1][side].cancelled().await;
        }
        let read = read(&end, plan, side).await;
        done[stream][side].cancel();
        read
    };
    let (wrote, read) = tokio::join!(write(&end, plan, stream, side), reading);
    let other = bytes(stream, 1 - side, 0, read.len());
    assert!(read == other, "stream {stream} gives end {side} other bytes than were written");
    match plan.cut.as_ref().map(|cut| cut.by == side) {
        Some(true) => end.reset(),
        Some(false) => return Outcome { read: Bytes::new(), wrote },
        None => {}
    }
    Outcome { read: other, wrote }
}

/// Runs the program, and gives what both ends of each stream met. Whoever waits for ever is seen at once: time passes
/// only when nobody has anything to do.
fn outcomes<G: Ground + 'static>(program: &[Plan], pipe: usize) -> Vec<[Outcome; 2]> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let whole = async {
        let mut tasks = JoinSet::new();
        let mut ground = G::lay(pipe, &mut tasks);
        let done: Rc<[[CancellationToken; 2]]> = program.iter().map(|_| Default::default()).collect();
        let mut plays = Vec::new();
        for (stream, plan) in program.iter().enumerate() {
            let ends = ground.open(plan.opener).await;
            for (side, end) in ends.into_iter().enumerate() {
                let (plan, done) = (plan.clone(), done.clone());
                plays.push(tokio::task::spawn_local(async move { play(end, &plan, (stream, side), &done).await }));
            }
        }
        let mut outcomes = Vec::new();
        for play in plays {
            outcomes.push(play.await.unwrap());
        }
        let mut each = outcomes.into_iter();
        std::iter::from_fn(|| Some([each.next()?, each.next()?])).collect()
    };
    let in_time = async { tokio::time::timeout(Duration::from_secs(600), whole).await };
    runtime.block_on(LocalSet::new().run_until(in_time)).expect("somebody waits for ever")
}

fn side() -> impl Strategy<Value = Side> {
    let length = prop_oneof![Just(0usize), 1usize..50, 1usize..5_000, 1usize..90_000];
    let reads = prop_oneof![1usize..200, 1usize..5_000, 1usize..100_000];
    (vec(length, 0..5), reads, prop_oneof![4 => Just(0usize), 1 => 1usize..20], prop::bool::weighted(0.3)).prop_map(
        // Who reads little at a time has no patience besides.
        |(writes, reads, patience, waits)| Side {
            writes,
            reads,
            patience: if reads < 1000 { 0 } else { patience },
            waits,
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let cut = prop::option::weighted(0.25, (0..2usize, 0..120_000usize).prop_map(|(by, after)| Cut { by, after }));
    (0..2usize, [side(), side()], cut).prop_map(|(opener, sides, cut)| Plan { opener, sides, cut })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_same_program_meets_the_same_ends_as_over_yamux_and_over_plain_pipes(
        program in vec(plan(), 1..7),
        pipe in prop_oneof![1usize..300, 1_000usize..100_000],
    ) {
        let ours = outcomes::<Ours>(&program, pipe);
        for (stream, (outcome, plan)) in ours.iter().zip(&program).enumerate() {
            for (side, met) in outcome.iter().enumerate() {
                let cut = plan.cut.as_ref().map(|cut| (cut.by == side, cut.after));
                let whole: usize = plan.sides[1 - side].writes.iter().sum();
                let length = cut.map_or(whole, |(by, after)| if by { after } else { 0 });
                let wrote = cut.is_none_or(|(by, _)| by);
                prop_assert_eq!((met.read.len(), met.wrote), (length, wrote), "stream {} at end {}", stream, side);
            }
        }
        prop_assert!(ours == outcomes::<Yamux>(&program, pipe), "yamux meets something else");
        prop_assert!(ours == outcomes::<Pipes>(&program, pipe), "plain pipes meet something else");
    }
}
