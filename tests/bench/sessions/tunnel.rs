//! A way from a local port to the far end, whoever made it, and what it costs.

use std::{any::Any, net::SocketAddr, time::Duration};

use super::{
    load::{Flow, percentile, round_trips},
    processor,
};

/// A tunnel. Dropping it ends the processes that make it.
pub(super) struct Tunnel {
    /// Its name in rows.
    pub(super) name: &'static str,
    /// The port of the technician's end.
    pub(super) at: SocketAddr,
    /// The processes that carry it; each with all that it started.
    pub(super) roots: Vec<u32>,
    /// The one among them that stands in the middle.
    pub(super) middle: Option<u32>,
    /// What has to live as long.
    pub(super) _held: Box<dyn Any>,
}

/// What one measurement of bulk came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bulk {
    pub(super) mb_per_s: f64,
    pub(super) cpu_s_per_gb: f64,
    pub(super) middle_s_per_gb: f64,
}

impl Tunnel {
    /// Nothing at all between the two ends.
    pub(super) fn none(at: SocketAddr) -> Self {
        Self { name: "loopback", at, roots: Vec::new(), middle: None, _held: Box::new(()) }
    }

    fn processor(&self) -> (f64, f64) {
        (self.roots.iter().copied().map(processor::seconds).sum(), self.middle.map_or(0.0, processor::seconds))
    }

    /// So many streams towards the technician for a while.
    pub(super) async fn bulk(&self, streams: usize, span: Duration) -> anyhow::Result<Bulk> {
        let mut flow = Flow::open(self.at, streams).await?;
        let before = self.processor();
        let (bytes, took) = flow.take(span).await?;
        let after = self.processor();
        let gb = megabytes(bytes) / 1e3;
        Ok(Bulk {
            mb_per_s: megabytes(bytes) / took.as_secs_f64(),
            cpu_s_per_gb: (after.0 - before.0) / gb,
            middle_s_per_gb: (after.1 - before.1) / gb,
        })
    }

    /// Round trips while a bulk stream runs beside them, in microseconds, sorted.
    pub(super) async fn under_bulk(&self, count: usize) -> anyhow::Result<Vec<f64>> {
        let _flow = Flow::open(self.at, 1).await?;
        round_trips(self.at, count).await
    }

    /// The 50th and 99th of 100 round trips in microseconds.
    pub(super) async fn round_trip(&self, count: usize) -> anyhow::Result<(f64, f64)> {
        let trips = round_trips(self.at, count).await?;
        Ok((percentile(&trips, 50), percentile(&trips, 99)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) const fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
