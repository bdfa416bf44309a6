//! Whether the network under a carrier has become another one, told by a look each second. Pure: what there is to see is
//! told to it.
//!
//! A carrier is given up at once when its own address is gone, and when a new one would begin from elsewhere for two
//! looks together, since a network that comes up shows passing states. What counts is that the choice has changed since
//! the carrier was begun, not that it differs from the carrier's address: rules by protocol may choose otherwise for good.
//! IPv6 addresses of one /64 are one network: temporary ones follow each other there (RFC 8981), and the old one stays
//! good for what it carries.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::session::carrier::Sight;

/// From look to look.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lookout {
    /// The source when the carrier, or the attempt for one, was begun.
    begun: Option<IpAddr>,
    /// Where the connection before it led.
    to: Option<SocketAddr>,
    /// Whether the carrier's own address could be seen when it was joined.
    stood: bool,
    /// What it was at the last look.
    last: Option<IpAddr>,
    next: Instant,
}

impl Lookout {
    pub(super) fn new(now: Instant) -> Self {
        Self { begun: None, to: None, stood: false, last: None, next: now + EVERY }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, sight: Option<Sight>, now: Instant) {
        let source = sight.and_then(|sight| sight.source);
        *self = Self { begun: source, to: sight.map(|sight| sight.to), last: source, ..Self::new(now) };
    }

    /// It led to a carrier, perhaps another way than what was looked at before, as from IPv6 to IPv4.
    pub(super) fn joined(&mut self, sight: Option<Sight>, now: Instant) {
        if sight.map(|sight| sight.to) != self.to {
            self.begin(sight, now);
        }
        self.stood = sight.is_some_and(|sight| sight.stands);
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    pub(super) const fn look_at(&self) -> Instant {
        self.next
    }

    /// A look at the network under a carrier: whether another carrier is to be sought.
    pub(super) fn has_moved(&mut self, sight: Option<Sight>, now: Instant) -> bool {
        self.next = now + EVERY;
        let Some(Sight { source, stands, .. }) = sight else { return false };
        if self.stood && !stands {
            return true;
        }
        let last = std::mem::replace(&mut self.last, source);
        source == last && !same_network(source, self.begun)
    }

    /// A look while a carrier is sought: whether there is another way than when the last attempt began.
    pub(super) fn has_opened(&mut self, sight: Option<Sight>, now: Instant) -> bool {
        self.next = now + EVERY;
        let source = sight.and_then(|sight| sight.source);
        source.is_some() && !same_network(source, self.begun)
    }
}

fn same_network(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one, other) {
        (Some(IpAddr::V6(one)), Some(IpAddr::V6(other))) => one.segments()[..4] == other.segments()[..4],
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `?` where there is no telling, nothing where there is no way.
    fn sight(source: &str, stands: bool) -> Option<Sight> {
        let to = if source.contains(':') { "[2001:db8:9::1]:443" } else { "192.0.2.1:443" };
        (source != "?").then(|| Sight { source: source.parse().ok(), to: to.parse().unwrap(), stands })
    }

    /// After which look at these the carrier is given up, the first being the one at which it was begun.
    fn moved(sights: &[Option<Sight>]) -> Option<usize> {
        let mut now = Instant::now();
        let mut lookout = Lookout::new(now);
        lookout.begin(sights[0], now);
        lookout.joined(sights[0], now);
        (1..sights.len()).find(|look| {
            assert!(!lookout.is_due(now), "a second lies between looks");
            now = lookout.look_at();
            lookout.has_moved(sights[*look], now)
        })
    }

    #[test]
    fn a_carrier_whose_address_is_gone_is_given_up_at_once() {
        let home = sight("10.0.0.2", true);
        assert_eq!(moved(&[home, home, sight("10.0.0.2", false)]), Some(2));
        assert_eq!(moved(&[home, sight("", false)]), Some(1), "there is no other way yet");
        let unseen = sight("10.0.0.2", false);
        assert_eq!(moved(&[unseen, unseen, unseen]), None, "it could never be seen");
    }

    #[test]
    fn a_way_from_elsewhere_is_believed_when_it_stays() {
        let (home, cable, none) = (sight("10.0.0.2", true), sight("10.9.0.2", true), sight("", true));
        let unseen = sight("?", true);
        assert_eq!(moved(&[home, cable, cable]), Some(2));
        assert_eq!(moved(&[home, cable, home, none, cable, home, home]), None, "passing states");
        assert_eq!(moved(&[home, none, none]), Some(2), "no way at all");
        assert_eq!(moved(&[home, unseen, unseen, unseen]), None, "there is no telling");
        assert_eq!(moved(&[home, cable, unseen, cable]), Some(3), "no look between these two");
    }

    #[test]
    fn temporary_addresses_of_one_network_are_one_and_renumbering_is_not() {
        let today = sight("2001:db8:0:1:aaaa::1", true);
        let tomorrow = sight("2001:db8:0:1:bbbb::1", true);
        let elsewhere = sight("2001:db8:0:2:bbbb::1", true);
        assert_eq!(moved(&[today, tomorrow, tomorrow, tomorrow]), None);
        assert_eq!(moved(&[today, elsewhere, elsewhere]), Some(2));
    }

    #[test]
    fn a_carrier_that_leads_elsewhere_is_not_held_against_the_way_before() {
        let (now, old) = (Instant::now(), Sight { source: None, ..sight("2001:db8:0:1::1", true).unwrap() });
        let mut lookout = Lookout::new(now);
        lookout.begin(Some(old), now);
        let new = sight("10.0.0.2", true);
        lookout.joined(new, now);
        assert!(!lookout.has_moved(new, now) && !lookout.has_moved(new, now), "nothing changed since it was joined");
        let moved = sight("10.9.0.2", true);
        assert!(!lookout.has_moved(moved, now) && lookout.has_moved(moved, now));
    }

    #[test]
    fn whoever_seeks_goes_by_another_way_as_soon_as_there_is_one() {
        let now = Instant::now();
        let mut lookout = Lookout::new(now);
        lookout.begin(sight("10.0.0.2", false), now);
        for (seen, opened) in [("10.0.0.2", false), ("", false), ("?", false), ("10.9.0.2", true)] {
            assert_eq!(lookout.has_opened(sight(seen, false), now), opened, "{seen:?}");
        }
    }
}
