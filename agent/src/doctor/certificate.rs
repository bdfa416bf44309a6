//! Is there a certificate, and how long is it good for?

use gatelodge_proto::Timestamp;

use super::Finding;
use crate::state::{Holding, Leaf};

const NAME: &str = "certificate";

pub(super) fn check(holding: Option<&Holding>, now: Timestamp) -> Finding {
    let credentials = match holding {
        Some(Holding::Enrolled { credentials, .. }) => credentials,
        Some(Holding::Retired) => return Finding::bad(NAME, "this device is retired", "ask the vendor"),
        Some(Holding::Key { .. }) | None => {
            return Finding::note(
                NAME,
                "not enrolled yet",
                "gatelodge-agent run enrols it; status shows the on-site code",
            );
        }
    };
    match Leaf::read(&credentials.chain) {
        Err(error) => Finding::bad(NAME, error.to_string(), "gatelodge-agent reset makes a new key and enrols anew"),
        Ok(leaf) if now > leaf.not_after => Finding::bad(
            NAME,
            format!("ended {}", leaf.not_after),
            "leave the agent running: it asks for a new one; if the clock is wrong, set it first",
        ),
        Ok(leaf) if now < leaf.not_before => {
            Finding::bad(NAME, format!("starts {} only", leaf.not_before), "the device's clock is behind: set it")
        }
        Ok(leaf) => Finding::good(NAME, format!("until {}, renewed by itself", leaf.not_after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_device_without_one_is_told_how_to_get_it() {
        let Verdict::Note { next } = check(None, Timestamp::EPOCH).verdict else {
            panic!("no certificate is no fault")
        };
        assert!(next.contains("gatelodge-agent run"));
        assert!(matches!(check(Some(&Holding::Retired), Timestamp::EPOCH).verdict, Verdict::Bad { .. }));
    }
}
