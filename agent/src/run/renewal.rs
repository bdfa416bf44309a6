//! When the certificate is renewed: at two thirds of its life, spread over a tenth of it.

use std::time::Duration;

use gatelodge_proto::{Random, Timestamp};

use crate::state::Leaf;

/// A renewal without an answer is asked for again after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

/// The moment for a certificate; drawn once per start and certificate.
pub(super) fn moment(leaf: &Leaf, random: &Random) -> Timestamp {
    let life = leaf.lifetime();
    let spread = u64::try_from((life / 10).as_millis()).unwrap_or(0);
    leaf.not_before + life * 2 / 3 + Duration::from_millis(random.below(spread.max(1)))
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{CertificateSerial, DeviceId};

    use super::*;

    #[test]
    fn ninety_days_are_renewed_between_day_60_and_day_69() {
        let from = Timestamp::from_seconds(1_800_000_000);
        let day = Duration::from_secs(24 * 3600);
        let leaf = Leaf {
            device: DeviceId::make(from, &Random::seeded(1)),
            serial: CertificateSerial::from_bytes(&[1]),
            not_before: from,
            not_after: from + 90 * day,
            key_thumbprint: [0; 32],
        };
        let moments: Vec<Timestamp> = (0..200).map(|seed| moment(&leaf, &Random::seeded(seed))).collect();
        assert!(moments.iter().all(|at| (from + 60 * day..from + 69 * day).contains(at)));
        let early = moments.iter().filter(|at| **at < from + 64 * day + day / 2).count();
        assert!((70..130).contains(&early), "{early} of 200 in the first half");
    }
}
