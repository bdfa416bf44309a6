//! Does the device's clock agree with the cloud's?

use std::time::Duration;

use gatelodge_proto::Timestamp;

use super::Finding;

const NAME: &str = "clock";
/// Commands carry deadlines of half a minute and more.
const TOLERANCE: Duration = Duration::from_secs(10);

pub(super) fn check(told: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(cloud) = told else {
        return Finding::note(NAME, "the cloud did not say what time it is", "compare this device's clock by hand");
    };
    let apart = cloud.since(now).max(now.since(cloud));
    if apart <= TOLERANCE {
        return Finding::good(NAME, format!("{} s from the cloud's", apart.as_secs()));
    }
    let direction = if cloud > now { "behind" } else { "ahead of" };
    Finding::bad(
        NAME,
        format!("{} s {direction} the cloud's", apart.as_secs()),
        "set the clock, or start a time service such as systemd-timesyncd",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_clock_that_is_off_is_told_by_how_much_and_which_way() {
        let there = Timestamp::from_seconds(784_111_777);
        assert_eq!(check(Some(there), there).verdict, Verdict::Good);
        assert_eq!(check(Some(there), there - Duration::from_secs(60)).found, "60 s behind the cloud's");
        let ahead = check(Some(there), there + Duration::from_secs(3600));
        assert_eq!(ahead.found, "3600 s ahead of the cloud's");
        assert!(matches!(ahead.verdict, Verdict::Bad { .. }));
        assert!(matches!(check(None, there).verdict, Verdict::Note { .. }));
    }
}
