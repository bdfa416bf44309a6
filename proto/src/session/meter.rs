//! Whether a stream carries bulk: what nobody told us shows in how fast it sends. Pure.

use std::time::{Duration, Instant};

use super::inner_frame::Class;

/// How long a stream is watched at a time.
const PERIOD: Duration = Duration::from_millis(100);
/// More than this within a period is bulk on any way: whoever waits for an answer does not wait for so much.
pub(super) const BULK: usize = 256 * 1024;

/// The pace of one direction of one stream.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    bytes: usize,
    class: Class,
}

impl Meter {
    pub(super) const fn new(now: Instant) -> Self {
        Self { begun: now, bytes: 0, class: Class::Interactive }
    }

    /// Counts what is about to be sent, and says how it travels. More than `bulk` within a period is bulk.
    pub(super) fn count(&mut self, bytes: usize, bulk: usize, now: Instant) -> Class {
        if now.saturating_duration_since(self.begun) >= PERIOD {
            // A stream that has slowed down to half is no bulk any more.
            if self.bytes < bulk / 2 {
                self.class = Class::Interactive;
            }
            (self.begun, self.bytes) = (now, 0);
        }
        self.bytes += bytes;
        if self.bytes > bulk {
            self.class = Class::Bulk;
        }
        self.class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_bulk_while_it_sends_like_one() {
        let mut now = Instant::now();
        let mut meter = Meter::new(now);
        for _ in 0..50 {
            now += Duration::from_millis(10);
            assert_eq!(meter.count(4096, BULK, now), Class::Interactive, "a terminal, a page, a camera's preview");
        }
        let classes: Vec<Class> = (0..100).map(|_| meter.count(16 * 1024, BULK, now)).collect();
        assert_eq!((classes[0], classes[99]), (Class::Interactive, Class::Bulk));
        now += PERIOD;
        assert_eq!(meter.count(1, BULK, now), Class::Bulk, "a short breath changes nothing");
        now += PERIOD;
        assert_eq!(meter.count(1, BULK, now), Class::Interactive);
    }
}
