//! Streams over one ordered byte channel: opens, credit windows, half-close, resets, liveness. Pure: no IO, no clock.
//!
//! Frames go in by [`Mux::handle`], events come out by [`Mux::poll_event`], bytes for the peer by [`Mux::poll_transmit`].
//! Whoever drives it sends only within [`Mux::sendable`] and says by [`Mux::consumed`] when bytes are in the real socket.

mod event;
mod half;
mod lanes;
mod pace;
#[cfg(test)]
mod tests;
mod weight;

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

pub use self::event::{Event, Impossible, Violation};
use self::{
    half::{Growth, Inbound, Outbound},
    lanes::{Lane, Lanes},
    pace::{Liveness, Tokens},
};
use super::{
    Role,
    inner_frame::{Class, InnerFrame, MAX_PAYLOAD, Open, OpenError, ResetCode, StreamId},
};

/// What bounds one end.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes a stream may send before credit comes back, at first.
    pub window: u32,
    /// The same at most, for a stream that is read faster than the way is long.
    pub widest: u32,
    /// Bytes by which all streams together may grow.
    pub growth: u32,
    /// Streams at once.
    pub max_streams: usize,
    /// Streams opened a second by the peer, and as a burst.
    pub opens_per_second: u32,
    /// PING this often while streams are open.
    pub ping_busy: Duration,
    /// PING this often while none is.
    pub ping_idle: Duration,
}

impl Settings {
    /// For a device: small windows, few streams.
    pub const DEVICE: Self = Self {
        window: 64 * 1024,
        widest: 4 * 1024 * 1024,
        growth: 8 * 1024 * 1024,
        max_streams: 64,
        opens_per_second: 50,
        ping_busy: Duration::from_secs(5),
        ping_idle: Duration::from_secs(25),
    };

    /// For the technician's computer.
    pub const TECHNICIAN: Self =
        Self { window: 256 * 1024, widest: MAX_WINDOW, growth: 2 * MAX_WINDOW, max_streams: 256, ..Self::DEVICE };
}

enum State {
    /// We asked; the peer has not answered.
    Asked { inbound: Inbound },
    /// The peer asked; our driver has not answered.
    Wanted { outbound: Outbound },
    /// Both directions are set up.
    Live { outbound: Outbound, inbound: Inbound },
}

impl State {
    const fn grown(&self) -> u32 {
        match self {
            Self::Asked { inbound } | Self::Live { inbound, .. } => inbound.grown(),
            Self::Wanted { .. } => 0,
        }
    }

    const fn first_window(&self) -> Option<u32> {
        match self {
            Self::Asked { inbound } | Self::Live { inbound, .. } => Some(inbound.first()),
            Self::Wanted { .. } => None,
        }
    }
}

/// One end's streams.
pub struct Mux {
    role: Role,
    settings: Settings,
    streams: HashMap<StreamId, State>,
    next_own: StreamId,
    highest_peer: StreamId,
    tokens: Tokens,
    events: VecDeque<Event>,
    transmit: Lanes,
    liveness: Liveness,
}

/// More frames than this wait for the carrier only when the peer stopped reading: the driver then stops reading it.
const MAX_CONTROL: usize = 512;
/// A way is never counted as shorter: on one machine the streams' owners take longer than the way, and each return of
/// credit costs a frame.
const SHORTEST_WAY: Duration = Duration::from_millis(4);
/// Streams of one session that begin with a whole window.
const WHOLE_WINDOWS: usize = 8;
/// The largest window any end may give.
const MAX_WINDOW: u32 = 16 * 1024 * 1024;

impl Mux {
    /// An end without streams.
    pub fn new(role: Role, settings: Settings, now: Instant) -> Self {
        Self {
            role,
            settings,
            streams: HashMap::new(),
            next_own: match role {
                Role::Technician => 1,
                Role::Device => 2,
            },
            highest_peer: 0,
            tokens: Tokens::new(settings.opens_per_second, now),
            events: VecDeque::new(),
            transmit: Lanes::default(),
            liveness: Liveness::new(now),
        }
    }

    /// Asks the peer to connect a target; [`Event::Opened`] or [`Event::OpenFailed`] follows. `open.credit` is set here.
    pub fn open(&mut self, open: Open) -> Result<StreamId, Impossible> {
        if self.streams.len() >= self.settings.max_streams {
            return Err(Impossible::Limit);
        }
        let stream = self.next_own;
        self.next_own = stream.checked_add(2).ok_or(Impossible::Limit)?;
        let window = self.first_window();
        let inbound = Inbound::new(window);
        let open = Open { credit: window, ..open };
        self.streams.insert(stream, State::Asked { inbound });
        self.queue(InnerFrame::Open { stream, open });
        Ok(stream)
    }

    /// The target of a wanted stream is connected. Gives the bytes that may be sent at once.
    pub fn accept(&mut self, stream: StreamId, connect: Duration, local: String) -> Result<u32, Impossible> {
        let Some(State::Wanted { outbound }) = self.streams.remove(&stream) else { return Err(Impossible::Over) };
        let window = self.first_window();
        let (inbound, sendable) = (Inbound::new(window), outbound.credit());
        self.streams.insert(stream, State::Live { outbound, inbound });
        let connect_us = u32::try_from(connect.as_micros()).unwrap_or(u32::MAX);
        self.queue(InnerFrame::OpenOk { stream, credit: window, connect_us, local });
        Ok(sendable)
    }

    /// The target of a wanted stream cannot be had.
    pub fn refuse(&mut self, stream: StreamId, code: OpenError) {
        if let Some(State::Wanted { .. }) = self.streams.get(&stream) {
            self.streams.remove(&stream);
            self.queue(InnerFrame::OpenErr { stream, code });
        }
    }

    /// How many bytes [`send`](Self::send) takes now.
    pub fn sendable(&self, stream: StreamId) -> u32 {
        match self.streams.get(&stream) {
            Some(State::Live { outbound, .. }) => outbound.credit(),
            Some(State::Asked { .. } | State::Wanted { .. }) | None => 0,
        }
    }

    /// Sends bytes, at most [`MAX_PAYLOAD`] and within the credit.
    pub fn send(&mut self, stream: StreamId, payload: Bytes, class: Class) -> Result<(), Impossible> {
        let Some(State::Live { outbound, .. }) = self.streams.get_mut(&stream) else { return Err(Impossible::Over) };
        if payload.len() > MAX_PAYLOAD {
            return Err(Impossible::Full);
        }
        outbound.take(payload.len())?;
        let lane = outbound.lane(class);
        self.transmit.push(lane, InnerFrame::Data { stream, payload });
        Ok(())
    }

    /// Sends a datagram of at most [`MAX_PAYLOAD`], whatever the credit: what holds datagrams back is that their
    /// sender keeps few and drops the oldest.
    pub fn send_datagram(&mut self, stream: StreamId, payload: Bytes) -> Result<(), Impossible> {
        let lane = match self.streams.get_mut(&stream) {
            Some(State::Live { .. }) if payload.len() > MAX_PAYLOAD => return Err(Impossible::Full),
            Some(State::Live { outbound, .. }) if !outbound.is_finished() => outbound.lane(Class::Interactive),
            Some(State::Live { .. } | State::Asked { .. } | State::Wanted { .. }) | None => {
                return Err(Impossible::Over);
            }
        };
        self.transmit.push(lane, InnerFrame::Dgram { stream, payload });
        Ok(())
    }

    /// Sends no more on this stream.
    pub fn finish(&mut self, stream: StreamId) {
        let Some(State::Live { outbound, .. }) = self.streams.get_mut(&stream) else { return };
        if outbound.finish() {
            let lane = outbound.lane(Class::Interactive);
            self.transmit.push(lane, InnerFrame::Fin { stream });
            self.drop_if_over(stream);
        }
    }

    /// Breaks a stream off in both directions.
    pub fn reset(&mut self, stream: StreamId, code: ResetCode) {
        if let Some(state) = self.streams.remove(&stream) {
            // Behind what was sent before, which may be datagrams that still count.
            let lane = match state {
                State::Live { outbound, .. } => outbound.waits_in(),
                State::Asked { .. } | State::Wanted { .. } => Lane::Control,
            };
            self.transmit.push(lane, InnerFrame::Rst { stream, code });
        }
    }

    /// Bytes of this stream are in the real socket; the peer gets them back as credit.
    pub fn consumed(&mut self, stream: StreamId, bytes: usize, now: Instant) {
        let grown = self.streams.values().map(State::grown).sum();
        let growth = Growth {
            within: 2 * self.liveness.shortest().unwrap_or_default().max(SHORTEST_WAY),
            widest: self.settings.widest,
            left: self.settings.growth.saturating_sub(grown),
        };
        if let Some(State::Live { inbound, .. } | State::Asked { inbound }) = self.streams.get_mut(&stream)
            && let Some(bytes) = inbound.consumed(bytes, now, growth)
        {
            self.queue(InnerFrame::Credit { stream, bytes });
        }
    }

    /// Tells the peer something about the whole session.
    pub fn tell(&mut self, frame: InnerFrame) {
        self.queue(frame);
    }

    /// Takes a frame from the peer.
    pub fn handle(&mut self, frame: InnerFrame, now: Instant) -> Result<(), Violation> {
        self.liveness.heard();
        match frame {
            InnerFrame::Open { stream, open } => self.peer_opens(stream, open, now)?,
            InnerFrame::OpenOk { stream, credit, connect_us, .. } => {
                let Some(inbound) = self.take_asked(stream)? else { return Ok(()) };
                let outbound = Outbound::new(credit)?;
                self.streams.insert(stream, State::Live { outbound, inbound });
                self.events.push_back(Event::Opened { stream, connect_us, credit });
            }
            InnerFrame::OpenErr { stream, code } => {
                if self.take_asked(stream)?.is_some() {
                    self.events.push_back(Event::OpenFailed { stream, code });
                }
            }
            InnerFrame::Data { stream, payload } => {
                let Some(inbound) = self.inbound(stream)? else { return Ok(()) };
                inbound.arrived(payload.len())?;
                if !payload.is_empty() {
                    self.events.push_back(Event::Data { stream, payload });
                }
            }
            InnerFrame::Fin { stream } => {
                let Some(inbound) = self.inbound(stream)? else { return Ok(()) };
                inbound.finish()?;
                self.events.push_back(Event::Finished { stream });
                self.drop_if_over(stream);
            }
            InnerFrame::Credit { stream, bytes } => match self.streams.get_mut(&stream) {
                Some(State::Live { outbound, .. }) => {
                    if outbound.give(bytes)? {
                        self.events.push_back(Event::Credit { stream, bytes });
                    }
                }
                Some(State::Asked { .. } | State::Wanted { .. }) => return Err(Violation::OutOfPlace),
                None => self.must_have_been(stream)?,
            },
            InnerFrame::Rst { stream, code } => {
                if self.streams.remove(&stream).is_some() {
                    self.events.push_back(Event::Reset { stream, code });
                } else {
                    self.must_have_been(stream)?;
                }
            }
            InnerFrame::Dgram { stream, payload } => {
                if let Some(inbound) = self.inbound(stream)?
                    && !inbound.is_finished()
                {
                    self.events.push_back(Event::Datagram { stream, payload });
                }
            }
            InnerFrame::ExpiryWarn { seconds } => self.events.push_back(Event::ExpiryWarn { seconds }),
            InnerFrame::Extend(warrant) => self.events.push_back(Event::Extend(warrant)),
            InnerFrame::Revoked { by, reason } => self.events.push_back(Event::Revoked { by, reason }),
            InnerFrame::Ping { stamp } => self.pong(stamp),
            InnerFrame::Pong { stamp } => self.liveness.answered(stamp, now),
            InnerFrame::Stats(stats) => self.events.push_back(Event::Stats(stats)),
            InnerFrame::Grant(_) | InnerFrame::Accept(_) | InnerFrame::Deny { .. } => {
                return Err(Violation::OutOfPlace);
            }
        }
        Ok(())
    }

    /// Time has come to what [`poll_timeout`](Self::poll_timeout) said.
    pub fn handle_timeout(&mut self, now: Instant) {
        let every = if self.streams.is_empty() { self.settings.ping_idle } else { self.settings.ping_busy };
        let Some(due) = self.liveness.due(now, every) else { return };
        if due.silent {
            self.events.push_back(Event::Silent);
        }
        self.queue(InnerFrame::Ping { stamp: due.stamp });
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Instant {
        self.liveness.next_ping()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Moves whole frames into `out` until it holds about `enough` bytes. Gives whether it moved any.
    pub fn poll_transmit(&mut self, out: &mut BytesMut, enough: usize) -> bool {
        let before = out.len();
        while out.len() < enough
            && let Some(frame) = self.transmit.pop()
        {
            if let InnerFrame::Data { stream, .. } | InnerFrame::Dgram { stream, .. } | InnerFrame::Fin { stream } =
                &frame
                && let Some(State::Live { outbound, .. }) = self.streams.get_mut(stream)
            {
                outbound.gone();
            }
            frame.put(out);
        }
        out.len() > before
    }

    /// Bytes of payload that wait for the carrier.
    pub const fn queued(&self) -> usize {
        self.transmit.weight()
    }

    /// Whether the driver should go on reading from the peer.
    pub fn wants_input(&self) -> bool {
        self.transmit.control() < MAX_CONTROL
    }

    /// Streams that are not over.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Whether a stream is not over.
    pub fn knows(&self, stream: StreamId) -> bool {
        self.streams.contains_key(&stream)
    }

    /// The last measured round trip.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.liveness.round_trip()
    }

    /// Many streams that nobody reads must not cost much: those beyond the first few begin with less, and grow as soon
    /// as they are read.
    fn first_window(&self) -> u32 {
        let has_whole = |state: &&State| state.first_window() == Some(self.settings.window);
        let whole = self.streams.values().filter(has_whole).count();
        if whole < WHOLE_WINDOWS { self.settings.window } else { self.settings.window / 8 }
    }

    fn queue(&mut self, frame: InnerFrame) {
        self.transmit.push(Lane::Control, frame);
    }

    /// Only the newest PING is worth an answer, so a flood of them cannot fill the queue.
    fn pong(&mut self, stamp: u64) {
        if let Some(InnerFrame::Pong { stamp: waiting }) = self.transmit.last_control() {
            *waiting = stamp;
        } else {
            self.queue(InnerFrame::Pong { stamp });
        }
    }

    fn peer_opens(&mut self, stream: StreamId, open: Open, now: Instant) -> Result<(), Violation> {
        if !self.is_peers(stream) || stream <= self.highest_peer {
            return Err(Violation::StreamId);
        }
        self.highest_peer = stream;
        let outbound = Outbound::new(open.credit)?;
        if self.streams.len() >= self.settings.max_streams || !self.tokens.take(now) {
            self.queue(InnerFrame::OpenErr { stream, code: OpenError::Limit });
            return Ok(());
        }
        self.streams.insert(stream, State::Wanted { outbound });
        self.events.push_back(Event::Opening { stream, open });
        Ok(())
    }

    const fn is_peers(&self, stream: StreamId) -> bool {
        match self.role {
            Role::Technician => stream != 0 && stream.is_multiple_of(2),
            Role::Device => stream % 2 == 1,
        }
    }

    /// A late frame for a stream that is over is harmless; one for a stream that never was is not.
    const fn must_have_been(&self, stream: StreamId) -> Result<(), Violation> {
        let once = if self.is_peers(stream) { stream <= self.highest_peer } else { stream < self.next_own };
        if once && stream != 0 { Ok(()) } else { Err(Violation::OutOfPlace) }
    }

    fn take_asked(&mut self, stream: StreamId) -> Result<Option<Inbound>, Violation> {
        match self.streams.remove(&stream) {
            Some(State::Asked { inbound }) => Ok(Some(inbound)),
            Some(State::Wanted { .. } | State::Live { .. }) => Err(Violation::OutOfPlace),
            None => self.must_have_been(stream).map(|()| None),
        }
    }

    fn inbound(&mut self, stream: StreamId) -> Result<Option<&mut Inbound>, Violation> {
        self.must_have_been(stream)?;
        match self.streams.get_mut(&stream) {
            Some(State::Live { inbound, .. }) => Ok(Some(inbound)),
            Some(State::Asked { .. } | State::Wanted { .. }) => Err(Violation::OutOfPlace),
            None => Ok(None),
        }
    }

    fn drop_if_over(&mut self, stream: StreamId) {
        if let Some(State::Live { outbound, inbound }) = self.streams.get(&stream)
            && outbound.is_finished()
            && inbound.is_finished()
        {
            self.streams.remove(&stream);
        }
    }
}
