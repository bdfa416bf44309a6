//! What the device reports, and whether it differs from the last report.

use std::time::{Duration, Instant};

use gatelodge_proto::{Timestamp, payload::Report};

use crate::{
    config::Config,
    identity::{self, Identity, Reach},
};

/// The interfaces are looked at this often.
pub(super) const LOOK: Duration = Duration::from_secs(60);

/// Reads the device as it is now.
pub(super) fn read(identity: &Identity, config: &Config, epoch: u64, now: Timestamp) -> Report {
    let interfaces = identity::interfaces(&config.identity.root)
        .iter()
        // Cards, and what carries addresses; the rest of what kernels set up says nothing about the device.
        .filter(|interface| interface.physical || !interface.addresses.is_empty())
        .map(identity::NetworkInterface::reported)
        .collect();
    let reach = Reach {
        services: config.offered(),
        networks: config.networks.clone(),
        listens: config.listens.clone(),
        features: config.features(),
        profiles: config.profiles(),
    };
    identity.report(interfaces, reach, epoch, now)
}

/// Decides which readings are sent.
#[derive(Debug)]
pub(super) struct Reporter {
    interval: Duration,
    last: Option<(Report, Instant)>,
}

impl Reporter {
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, last: None }
    }

    /// Whether this reading is to be sent: the first, a changed one, or the daily one.
    pub(super) fn is_due(&mut self, reading: &Report, now: Instant) -> bool {
        let due = match &self.last {
            None => true,
            Some((last, sent_at)) => {
                let same = Report { observed_at: last.observed_at, ..reading.clone() } == *last;
                !same || now.saturating_duration_since(*sent_at) >= self.interval
            }
        };
        if due {
            self.last = Some((reading.clone(), now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::payload::Interface;

    use super::*;

    fn reading(at: i64) -> Report {
        Report {
            id_code: None,
            mac: "02:42:AC:11:00:02".parse().unwrap(),
            serial: "A".parse().unwrap(),
            serial_source: "dmi".into(),
            model: String::new(),
            firmware: String::new(),
            agent_version: String::new(),
            observed_at: Timestamp::from_seconds(at),
            epoch: 1,
            interfaces: Vec::new(),
            services: Vec::new(),
            networks: Vec::new(),
            listens: Vec::new(),
            features: Vec::new(),
            profiles: Vec::new(),
        }
    }

    #[test]
    fn the_first_the_changed_and_the_daily_reading_are_sent() {
        let (mut reporter, now) = (Reporter::new(Duration::from_secs(86_400)), Instant::now());
        assert!(reporter.is_due(&reading(1), now));
        assert!(!reporter.is_due(&reading(2), now), "only the time of reading differs");
        let mut moved = reading(3);
        moved.interfaces.push(Interface { name: "eth0".into(), mac: None, addresses: vec![[10, 0, 0, 2].into()] });
        assert!(reporter.is_due(&moved, now));
        assert!(!reporter.is_due(&moved, now + Duration::from_secs(86_399)));
        assert!(reporter.is_due(&moved, now + Duration::from_secs(86_400)));
    }
}
