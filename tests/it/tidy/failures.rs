//! The table of failures names tests that are there, in files that are there.

use super::{Tree, bites, holds};

const TABLE: &str = "docs/FAILURES.md";

fn rule(tree: &Tree) -> Vec<String> {
    let text = tree.0.get(TABLE).map(String::as_str).unwrap_or_default();
    let quoted = text.split('`').skip(1).step_by(2);
    let missing = quoted.filter(|word| {
        if let Some(file) = word.strip_suffix(".rs") {
            return !tree.rust().any(|(path, _)| path == *word || path.ends_with(&format!("/{file}.rs")));
        }
        // Names of tests are sentences; whatever is shorter is something else.
        let is_test = word.matches('_').count() > 3 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_test && !word.ends_with("_mib") && !tree.rust().any(|(_, text)| text.contains(&format!("fn {word}(")))
    });
    missing.map(|word| format!("{TABLE}: `{word}` is not there")).collect()
}

#[test]
fn the_table_of_failures_names_tests_that_are_there() {
    holds(rule);
}

#[test]
fn a_test_that_was_renamed_is_seen() {
    bites(
        rule,
        &[
            (
                TABLE,
                "| a | b | `tests/it/a.rs` `what_is_there_can_be_found` `what_was_there_is_gone_now`; `b.rs`, `c_d` |\n",
            ),
            ("tests/it/a.rs", "async fn what_is_there_can_be_found() {}\n"),
        ],
        &["docs/FAILURES.md: `what_was_there_is_gone_now` is not there", "docs/FAILURES.md: `b.rs` is not there"],
    );
}
