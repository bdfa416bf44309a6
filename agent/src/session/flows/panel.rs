//! The device's own connections to the panel of a blind page: each checked and written down like one that a technician
//! asks for.

use std::{
    io,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use gatelodge_proto::{
    FlowId, SessionId,
    payload::{FlowOutcome, Happening},
    session::{
        FlowTotals,
        driver::OpenFailure,
        inner_frame::{OpenError, Target},
    },
    web::{Dial, Duplex, Unreached},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_util::{
    sync::WaitForCancellationFutureOwned,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{Events, Place, Reached, Shared, outcome};

/// Dials the one panel of a session.
pub(super) struct ToPanel {
    /// The session keeps this, not the other way round.
    pub(super) shared: Weak<Shared>,
    pub(super) target: Target,
}

impl Dial for ToPanel {
    fn dial(&self) -> BoxFuture<'static, Result<Box<dyn Duplex>, Unreached>> {
        let (shared, target) = (self.shared.clone(), self.target.clone());
        Box::pin(async move {
            let shared = shared.upgrade().ok_or(Unreached::Over)?;
            let refused = |error| Unreached::from(OpenFailure::Target(error));
            shared.to_panel(&target).await.map(|wire| Box::new(wire) as Box<dyn Duplex>).map_err(refused)
        })
    }
}

impl Shared {
    async fn to_panel(&self, target: &Target) -> Result<PanelWire, OpenError> {
        let (flow, begun) = (self.ids.flow(), Instant::now());
        let reached = self.reach(target).await;
        let outcome = reached.as_ref().map_or_else(|error| outcome(*error), |_| FlowOutcome::Opened);
        let spelled = self.spelled(target, reached.as_ref().ok().and_then(Reached::peer));
        let session = self.terms.grant.session;
        // As for every flow: the row is on its way before the first byte is.
        let told = self.tell(Happening::FlowOpened { session, flow, target: spelled, outcome }).await;
        let Reached::Tcp(tcp, place) = reached? else { return Err(OpenError::NotAllowed) };
        if !told {
            return Err(OpenError::NotAllowed);
        }
        let _ = tcp.set_nodelay(true);
        let wires = self.blind.wires.clone();
        let end = End { session, flow, begun, events: self.events.clone(), _held: wires.token(), wires };
        let over = Box::pin(self.blind.over.clone().cancelled_owned());
        Ok(PanelWire { tcp, over, totals: FlowTotals::default(), end, _place: place })
    }
}

/// A connection to the panel; says when it is closed, and breaks off with the session.
struct PanelWire {
    tcp: TcpStream,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    totals: FlowTotals,
    end: End,
    _place: Place,
}

/// What is said in the end.
struct End {
    session: SessionId,
    flow: FlowId,
    begun: Instant,
    events: Events,
    wires: TaskTracker,
    /// The session's end waits for that.
    _held: TaskTrackerToken,
}

impl PanelWire {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.over.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for PanelWire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        self.totals.sent += (buffer.filled().len() - before) as u64;
        read
    }
}

impl AsyncWrite for PanelWire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.totals.received += bytes as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for PanelWire {
    fn drop(&mut self) {
        let End { session, flow, begun, events, wires, .. } = &self.end;
        let closed = Happening::FlowClosed {
            session: *session,
            flow: *flow,
            bytes_up: self.totals.sent,
            bytes_down: self.totals.received,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let events = events.clone();
        wires.spawn(async move { events.send(closed).await });
    }
}
