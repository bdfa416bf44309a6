//! Files stay readable at one sitting: at most 400 lines of code before the tests, `main.rs` at most 60.

use super::{Tree, bites, code, holds};

const MOST: usize = 400;
const MAIN: usize = 60;

fn rule(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !path.ends_with("/gallery.rs")) {
        let lines = code::shipped(text).filter(|(_, line)| !line.trim().is_empty()).count();
        let (most, advice) = match path.rsplit('/').next() {
            Some("main.rs") => (MAIN, "it is a table of contents"),
            _ => (MOST, "cut it by feature or by step"),
        };
        if lines > most {
            broken.push(format!("{path}: {lines} lines of code, and at most {most} are allowed; {advice}"));
        }
    }
    broken
}

#[test]
fn files_are_read_at_one_sitting() {
    holds(rule);
}

#[test]
fn a_long_file_is_seen() {
    let (long, comments) = ("x();\n".repeat(401), "// why\n\n".repeat(401));
    bites(
        rule,
        &[("a/src/long.rs", &long), ("a/src/main.rs", &long[..5 * 61]), ("a/src/told.rs", &comments)],
        &[
            "a/src/long.rs: 401 lines of code, and at most 400 are allowed; cut it by feature or by step",
            "a/src/main.rs: 61 lines of code, and at most 60 are allowed; it is a table of contents",
        ],
    );
}
