//! Tests wait for something, never for a while: no `sleep(` outside `tests/harness/wait.rs`.

use super::{Tree, bites, code, holds};

fn rule(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust() {
        let exempt =
            path == "tests/harness/wait.rs" || path == "tests/it/tidy/waiting.rs" || path == "tests/it/tidy/code.rs";
        if exempt {
            continue;
        }
        let shipped = if code::is_test(path) { 0 } else { code::shipped(text).count() };
        for (index, line) in text.lines().enumerate().skip(shipped) {
            if line.contains("sleep(") && !line.trim_start().starts_with("//") {
                broken.push(format!("{path}:{}: a test sleeps; wait for what it needs (`wait_until`)", index + 1));
            }
        }
    }
    broken
}

#[test]
fn no_test_sleeps() {
    holds(rule);
}

#[test]
fn a_sleeping_test_is_seen() {
    bites(
        rule,
        &[
            ("a/src/x.rs", "fn f() { sleep(1) }\n#[cfg(test)]\nmod tests {\n    fn t() { sleep(2) }\n}\n"),
            ("tests/it/y.rs", "fn t() { tokio::time::sleep(second).await }\n"),
        ],
        &[
            "a/src/x.rs:4: a test sleeps; wait for what it needs (`wait_until`)",
            "tests/it/y.rs:1: a test sleeps; wait for what it needs (`wait_until`)",
        ],
    );
}
