//! What is said about many measurements: percentiles, and counts per second.

use std::time::Duration;

/// The value below which that part of all lies; zero of nothing.
pub(crate) fn percentile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// How many fall into each second, from the first moment to the last.
pub(crate) fn per_second(moments: &[Duration]) -> Vec<usize> {
    let mut counts = Vec::new();
    for moment in moments {
        let second = usize::try_from(moment.as_secs()).unwrap_or(usize::MAX);
        if counts.len() <= second {
            counts.resize(second + 1, 0);
        }
        if let Some(count) = counts.get_mut(second) {
            *count += 1;
        }
    }
    counts
}

/// Milliseconds, to a hundredth.
pub(crate) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e5).round() / 100.0
}

/// So many in that time, a second.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn rate(count: usize, span: Duration) -> f64 {
    if span.is_zero() { 0.0 } else { (count as f64 / span.as_secs_f64() * 10.0).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_places_in_the_sorted_list() {
        let spans: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&spans, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&spans, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&spans[..1], 0.99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn seconds_without_any_count_too() {
        let moments = [100, 900, 2_500].map(Duration::from_millis);
        assert_eq!(per_second(&moments), [2, 0, 1]);
        assert_eq!(per_second(&[]), [0; 0]);
    }
}
