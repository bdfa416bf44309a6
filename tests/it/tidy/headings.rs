//! Every module says in its first lines what it owns; `tests.rs` goes with the file above it.

use super::{Tree, bites, holds};

fn rule(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !path.ends_with("/tests.rs")) {
        let heading: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        match heading.as_slice() {
            [] => broken.push(format!("{path}: the first line is no `//!` that says what this module owns")),
            some if some.len() > 14 => {
                broken.push(format!("{path}: the heading has {} lines; five say enough", some.len()));
            }
            _ => {}
        }
    }
    broken
}

#[test]
fn every_module_says_what_it_owns() {
    holds(rule);
}

#[test]
fn a_missing_heading_is_seen() {
    bites(
        rule,
        &[("a/src/x.rs", "fn x() {}\n"), ("a/src/tests.rs", "use x;\n"), ("a/src/z.rs", "//! Owns z.\n")],
        &["a/src/x.rs: the first line is no `//!` that says what this module owns"],
    );
}
