//! What `gatelodge` answers when it cannot do what was asked: three lines at most, and a code for scripts.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use gatelodge_proto::Timestamp;
use gatelodge_technician::signed_in::{Keep, SignIn};
use gatelodge_tests::programs::program;

fn gatelodge(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("gatelodge").unwrap());
    command.args(arguments).env_clear().env("HOME", home).output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn keep(home: &Path, cloud: &str, until: Timestamp) -> Keep {
    let keep = Keep::of_user(None, Some(home.into())).unwrap();
    let kept = SignIn {
        cloud: cloud.parse().unwrap(),
        ca_file: None,
        way: None,
        token: "t0ken".into(),
        expires_at: until,
        email: "marc@petit.example".into(),
        name: "Marc Petit".into(),
        organisation: "Petit Alarmes".into(),
    };
    keep.save(&kept).unwrap();
    keep
}

#[test]
fn each_trouble_has_its_exit_code_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let asks = |arguments: &[&str]| told(&gatelodge(home.path(), arguments));

    let (code, words) = asks(&["devices"]);
    assert_eq!(code, Some(3), "{words}");
    assert_eq!(
        words,
        "gatelodge: you are not signed in\n  next    gatelodge sign-in https://the-address-of-your-portal\n"
    );
    let (code, words) = asks(&["devices", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!((code, &said["exit"]), (Some(3), &3.into()));

    assert_eq!(asks(&["sign-in"]).0, Some(2), "which portal?");
    assert_eq!(asks(&["sign-in", "http://portal.example"]).0, Some(2), "a token does not travel in the open");
    assert_eq!(asks(&["forward", "villa-rosa", "Panel Web"]).0, Some(2));
    assert_eq!(asks(&["forward", "villa-rosa", "panel", "--minutes", "0"]).0, Some(2));
    let (code, words) = asks(&["sign-in", "https://127.0.0.1:1"]);
    assert_eq!(code, Some(5), "{words}");
    assert!(words.starts_with("gatelodge: the portal at 127.0.0.1:1 cannot be reached\n"), "{words}");

    let (later, earlier) = (Timestamp::from_seconds(4_000_000_000), Timestamp::from_seconds(1_000_000_000));
    keep(home.path(), "https://127.0.0.1:1", earlier);
    let (code, words) = asks(&["sessions"]);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("no longer knows this sign-in"), "{words}");

    let kept = keep(home.path(), "https://127.0.0.1:1", later);
    assert_eq!(asks(&["sessions"]).0, Some(5));
    std::fs::set_permissions(kept.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, words) = asks(&["sessions"]);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("can be read by other users") && words.contains("chmod 600"), "{words}");
}

#[test]
fn help_begins_with_an_example_and_ends_with_the_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [vec!["--help"], vec!["forward", "--help"], vec!["sign-in", "--help"]] {
        let output = gatelodge(home.path(), &arguments);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.starts_with("Example: gatelodge "), "{help}");
        assert!(help.contains("Exit codes: 0 done"), "{help}");
    }
}
