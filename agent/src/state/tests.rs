//! The state folder through power cuts, careless copies and a second agent.

use std::os::unix::fs::PermissionsExt as _;

use gatelodge_proto::Random;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn held_key(state: &StateDir) -> PrivateKey {
    match state.holding().unwrap() {
        Some(Holding::Key { key }) => key,
        other => panic!("no key held: {other:?}"),
    }
}

#[test]
fn a_key_survives_and_is_the_owner_s_alone() {
    let folder = folder();
    let key = PrivateKey::make().unwrap();
    {
        let state = StateDir::open(folder.path()).unwrap();
        assert!(state.holding().unwrap().is_none());
        state.hold(&Holding::Key { key: key.clone() }).unwrap();
    }
    let state = StateDir::open(folder.path()).unwrap();
    assert_eq!(held_key(&state), key);
    let mode = std::fs::metadata(folder.path().join(HOLDING)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(format!("{key:?}"), "PrivateKey(hidden)");
}

#[test]
fn a_cut_while_writing_leaves_the_old_file() {
    let folder = folder();
    let state = StateDir::open(folder.path()).unwrap();
    let key = PrivateKey::make().unwrap();
    state.hold(&Holding::Key { key: key.clone() }).unwrap();
    // What a cut between write and rename leaves behind: half a new file beside the old, with a loose mode.
    let leftover = folder.path().join("credentials.json.tmp");
    std::fs::write(&leftover, "{\"stage\":\"enr").unwrap();
    std::fs::set_permissions(&leftover, std::fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(held_key(&state), key);
    let second = PrivateKey::make().unwrap();
    state.hold(&Holding::Key { key: second.clone() }).unwrap();
    assert_eq!(held_key(&state), second);
    assert!(!leftover.exists());
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let folder = folder();
    let state = StateDir::open(folder.path()).unwrap();
    state.hold(&Holding::Key { key: PrivateKey::make().unwrap() }).unwrap();
    let path = folder.path().join(HOLDING);
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = state.holding().unwrap_err();
        assert!(refused.to_string().contains("can be read by other users"), "{refused}");
        assert!(refused.next_step().contains(&format!("chmod 600 {}", path.display())));
    }
}

#[test]
fn damage_is_named_and_not_repaired_in_silence() {
    let folder = folder();
    let state = StateDir::open(folder.path()).unwrap();
    state.hold(&Holding::Retired).unwrap();
    std::fs::write(folder.path().join(HOLDING), "{").unwrap();
    let refused = state.holding().unwrap_err();
    assert!(refused.to_string().contains("credentials.json is damaged"), "{refused}");
}

#[test]
fn one_agent_at_a_time() {
    let folder = folder();
    let first = StateDir::open(folder.path()).unwrap();
    assert!(matches!(StateDir::open(folder.path()), Err(StateError::InUse(_))));
    drop(first);
    StateDir::open(folder.path()).unwrap();
}

#[test]
fn the_boot_counter_only_grows_even_when_the_owner_is_forgotten() {
    let folder = folder();
    let random = Random::seeded(1);
    let state = StateDir::open(folder.path()).unwrap();
    let mut first = state.count_boot(&random).unwrap();
    state.hold(&Holding::Retired).unwrap();
    state.forget_owner().unwrap();
    assert!(state.holding().unwrap().is_none());
    let mut second = state.count_boot(&random).unwrap();
    assert_ne!(first.id(), second.id());
    let (one, two, three) = (first.next_position(), first.next_position(), second.next_position());
    assert!(one.order() < two.order() && two.order() < three.order());
    assert_eq!((one.boot, one.seq, three.boot, three.seq), (1, 1, 2, 1));
}

#[test]
fn forgetting_the_owner_leaves_the_customers_key_and_a_reset_at_the_device_takes_it() {
    let folder = folder();
    let state = StateDir::open(folder.path()).unwrap();
    let key: gatelodge_proto::consent::PinnedKey = serde_json::from_value(serde_json::json!({
        "credential": "AAAA",
        "point": format!("B{}", "A".repeat(86)),
        "rp": "lodge.example",
    }))
    .unwrap();
    let digits = key.fingerprint();
    let mut keeper = crate::consent::Keeper::default();
    keeper.take_offer(key).unwrap();
    let pin = keeper.confirm(&digits, &Random::seeded(1), Timestamp::from_seconds(1_800_000_000)).cloned();
    assert!(pin.is_some());
    state.keep_pin(pin.as_ref()).unwrap();
    state.keep_book(keeper.book()).unwrap();
    state.forget_owner().unwrap();
    assert_eq!(state.pin().unwrap(), pin, "whatever the cloud says");
    let mode = std::fs::metadata(folder.path().join(PIN)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(folder.path().join(PIN), b"{}").unwrap();
    assert!(matches!(state.pin(), Err(StateError::Damaged { .. })), "a damaged key is not taken for none");
    state.forget_consent().unwrap();
    assert_eq!(state.pin().unwrap(), None);
}
