//! On whose word do sessions enter: the portal's, or that of a key which is pinned here?

use super::Finding;
use crate::{
    config::Config,
    state::{self, StateError},
};

const NAME: &str = "consent";

pub(super) fn check(config: &Config) -> Finding {
    if !config.remote_access.enabled {
        return Finding::good(NAME, "nobody enters: remote access is off by this device's own switch");
    }
    let pin = match state::read_pin(&config.state_dir) {
        Ok(pin) => pin,
        Err(StateError::Io { .. }) => {
            let found = "whether a key of the customer is pinned cannot be read";
            return Finding::note(NAME, found, "run this as the agent's user, or as root");
        }
        Err(error) => return Finding::bad(NAME, error.to_string(), error.next_step()),
    };
    let Some(pin) = pin else {
        let found = "the portal's word and this device's own switch; no key of the customer is pinned";
        return Finding::good(NAME, found);
    };
    let found = format!("the customer's key, pinned since {}: {}", pin.since, pin.key.fingerprint());
    if config.local_page.lan {
        let next = "if others than the customer are on that network, take local_page.lan out of the settings";
        return Finding::note(NAME, format!("{found}; whoever is on the network may press for it, too"), next);
    }
    Finding::good(NAME, found)
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        Random, Timestamp,
        consent::{Blob, PinId, PinnedKey, Point},
    };

    use super::*;
    use crate::{consent::Pin, doctor::Verdict, state::StateDir};

    #[test]
    fn it_says_which_kind_of_consent_holds_and_who_may_press() {
        let folder = tempfile::tempdir().unwrap();
        let config = |more: &[(&str, &str)]| {
            let state = folder.path().join("state").display().to_string();
            let own = [("STATE_DIR", state.as_str()), ("CLOUD__URL", "https://cloud.example.com")];
            let all =
                own.iter().chain(more).map(|(key, value)| (format!("GATELODGE_AGENT__{key}"), (*value).to_owned()));
            crate::config::read(None, all).unwrap()
        };
        let state = StateDir::open(&config(&[]).state_dir).unwrap();
        assert!(check(&config(&[])).found.starts_with("the portal's word"));
        let key = PinnedKey {
            credential: Blob::new(vec![1]).unwrap(),
            point: Point::from_bytes(&[4; 65]).unwrap(),
            rp: "lodge.example".parse().unwrap(),
        };
        let (id, since) = (PinId::make(&Random::seeded(1)), Timestamp::EPOCH);
        let pin = Pin { id, since, rules_since: since, key };
        state.keep_pin(Some(&pin)).unwrap();
        let found = check(&config(&[]));
        assert!(found.found.contains(&pin.key.fingerprint()) && found.verdict == Verdict::Good, "{found:?}");
        let open = check(&config(&[("LOCAL_PAGE__LAN", "true"), ("LOCAL_PAGE__LISTEN", "0.0.0.0:7480")]));
        assert!(matches!(open.verdict, Verdict::Note { .. }) && open.found.contains("may press"), "{open:?}");
        assert!(check(&config(&[("REMOTE_ACCESS__ENABLED", "false")])).found.contains("own switch"));
        std::fs::write(state.path().join("pinned_key.json"), "{}").unwrap();
        assert!(matches!(check(&config(&[])).verdict, Verdict::Bad { .. }), "half a key is no key, and no word for it");
    }
}
