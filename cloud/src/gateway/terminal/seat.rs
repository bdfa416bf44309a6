//! The browser at a terminal: what is on the way to it and not shown yet, and what it is shown first when it comes. Never
//! holds more than [`WINDOW`] for a browser that does not draw. Knows no web socket.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::live::Outcome;

/// Bytes on the way to a browser that it has not shown yet.
pub(super) const WINDOW: usize = 128 * 1024;
/// What somebody who comes in later, or again, is shown of what was shown before.
const RECENT: usize = 32 * 1024;

/// To a browser.
pub(super) enum Outward {
    /// It is the one at the terminal now, and so many bytes follow that were shown before.
    Begun(usize),
    /// What the program wrote.
    Shown(Bytes),
    /// A piece that it typed is on its way; the place is free for another.
    Taken(OwnedSemaphorePermit),
    /// The session ends in so many seconds.
    EndsIn(u32),
    /// The last word.
    Last(Last),
}

/// Why a browser is no longer at a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Last {
    /// Another one took its place.
    Elsewhere,
    /// Its ticket was used, or is another browser's.
    Ticket,
    /// Its ticket is too old.
    Late,
    /// It does not speak as agreed.
    Foreign,
    /// The terminal is over.
    Over(Outcome),
}

/// The place of one browser at a terminal.
pub(super) struct Seat {
    out: mpsc::UnboundedSender<Outward>,
    room: Semaphore,
    under_way: AtomicUsize,
}

/// More was shown than was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Seat {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Outward>) {
        let (out, outward) = mpsc::unbounded_channel();
        (Arc::new(Self { out, room: Semaphore::new(WINDOW), under_way: AtomicUsize::new(0) }), outward)
    }

    /// Waits until the browser may be sent so many bytes more, of [`WINDOW`] at most; `false` when it is gone.
    pub(super) async fn has_room(&self, bytes: usize) -> bool {
        let count = u32::try_from(bytes.min(WINDOW)).unwrap_or(u32::MAX);
        match self.room.acquire_many(count).await {
            Ok(room) => {
                room.forget();
                true
            }
            Err(_) => false,
        }
    }

    fn show(&self, bytes: Bytes) {
        self.under_way.fetch_add(bytes.len(), Ordering::Relaxed);
        self.say(Outward::Shown(bytes));
    }

    /// The browser has drawn so many bytes.
    pub(super) fn shown(&self, bytes: usize) -> Result<(), TooMuch> {
        let less = |under_way: usize| under_way.checked_sub(bytes);
        self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).map_err(|_| TooMuch)?;
        if !self.room.is_closed() {
            self.room.add_permits(bytes);
        }
        Ok(())
    }

    pub(super) fn say(&self, word: Outward) {
        // Who is gone hears nothing.
        let _ = self.out.send(word);
    }

    fn leave(&self, why: Last) {
        self.room.close();
        self.say(Outward::Last(why));
    }
}

/// Who is at a terminal, and what was shown there last.
#[derive(Default)]
pub(super) struct Place {
    seat: Option<Arc<Seat>>,
    recent: VecDeque<u8>,
}

impl Place {
    pub(super) const fn seat(&self) -> Option<&Arc<Seat>> {
        self.seat.as_ref()
    }

    pub(super) fn is_of(&self, seat: &Arc<Seat>) -> bool {
        self.seat.as_ref().is_some_and(|known| Arc::ptr_eq(known, seat))
    }

    /// Whoever comes last is at the terminal; the one before is told.
    pub(super) fn take(&mut self, seat: &Arc<Seat>) {
        if let Some(before) = self.seat.replace(seat.clone()) {
            before.leave(Last::Elsewhere);
        }
        let recent = self.recent_whole();
        seat.say(Outward::Begun(recent.len()));
        if !recent.is_empty() {
            // Nobody waits for a seat that is not known yet, so there is room.
            if let Ok(room) = seat.room.try_acquire_many(u32::try_from(recent.len()).unwrap_or(u32::MAX)) {
                room.forget();
            }
            seat.show(recent);
        }
    }

    /// Shows what there [was room](Seat::has_room) for; `false` when another browser is there now.
    pub(super) fn show(&mut self, seat: &Arc<Seat>, bytes: &Bytes) -> bool {
        if !self.is_of(seat) {
            return false;
        }
        self.recent.extend(&bytes[bytes.len().saturating_sub(RECENT)..]);
        let beyond = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..beyond);
        seat.show(bytes.clone());
        true
    }

    /// A browser went without a word.
    pub(super) fn lose(&mut self, seat: &Arc<Seat>) {
        if self.is_of(seat) {
            self.seat = None;
        }
        seat.room.close();
    }

    /// The terminal is over.
    pub(super) fn clear(&mut self, outcome: &Outcome) {
        if let Some(seat) = self.seat.take() {
            seat.leave(Last::Over(outcome.clone()));
        }
        self.recent = VecDeque::new();
    }

    /// From the first whole line of what was kept, where something before it is missing.
    fn recent_whole(&mut self) -> Bytes {
        let bytes = self.recent.make_contiguous();
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let from = if bytes.len() < RECENT { 0 } else { line };
        Bytes::copy_from_slice(&bytes[from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(out: &mut mpsc::UnboundedReceiver<Outward>) -> Vec<String> {
        let mut heard = Vec::new();
        while let Ok(word) = out.try_recv() {
            heard.push(match word {
                Outward::Begun(replay) => format!("begun {replay}"),
                Outward::Shown(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Outward::Taken(_) => "taken".into(),
                Outward::EndsIn(seconds) => format!("ends {seconds}"),
                Outward::Last(last) => format!("{last:?}"),
            });
        }
        heard
    }

    #[tokio::test]
    async fn whoever_comes_last_has_the_terminal_and_sees_what_was_shown() {
        let mut place = Place::default();
        let ((first, mut first_out), (second, mut second_out)) = (Seat::new(), Seat::new());
        place.take(&first);
        assert!(first.has_room(2).await && place.show(&first, &Bytes::from_static(b"$ ")));
        assert_eq!(heard(&mut first_out), ["begun 0", "$ "]);
        place.take(&second);
        assert_eq!(heard(&mut first_out), ["Elsewhere"]);
        assert_eq!(heard(&mut second_out), ["begun 2", "$ "]);
        assert!(!first.has_room(1).await && !place.show(&first, &Bytes::from_static(b"x")), "the first has it no more");
        place.lose(&first);
        assert!(place.is_of(&second), "who lost its place takes nobody's");
        place.clear(&Outcome::SignedOut);
        assert_eq!(heard(&mut second_out), ["Over(SignedOut)"]);
    }

    #[tokio::test]
    async fn no_more_is_under_way_than_the_window_and_no_more_drawn_than_was_sent() {
        let (mut place, (seat, _out)) = (Place::default(), Seat::new());
        place.take(&seat);
        assert!(seat.has_room(WINDOW).await && place.show(&seat, &Bytes::from(vec![b'y'; WINDOW])));
        let more = seat.has_room(1);
        assert!(futures_util::FutureExt::now_or_never(more).is_none(), "one byte more waits");
        assert_eq!(seat.shown(WINDOW + 1), Err(TooMuch));
        assert_eq!(seat.shown(WINDOW), Ok(()));
        assert_eq!(seat.shown(1), Err(TooMuch));
        assert!(seat.has_room(WINDOW).await);
    }

    #[tokio::test]
    async fn what_is_shown_again_begins_with_a_whole_line() {
        let (mut place, (seat, _out)) = (Place::default(), Seat::new());
        place.take(&seat);
        let line = "caf\u{e9} au lait\r\n".as_bytes();
        let text = Bytes::from(line.repeat(RECENT / line.len() + 10));
        assert!(place.show(&seat, &text));
        let (next, mut out) = Seat::new();
        place.take(&next);
        let again = heard(&mut out).remove(1);
        assert!(again.starts_with("caf\u{e9}") && again.len() <= RECENT && again.len() > RECENT - 2 * line.len());
    }
}
