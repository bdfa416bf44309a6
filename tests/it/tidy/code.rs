//! What of a source file is code that ships: no comments, no tests.

/// The lines before the tests, with comments and blank lines emptied but kept, so that numbers stay true.
pub(super) fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut test_comes = false;
    text.lines()
        .enumerate()
        .take_while(move |(_, line)| {
            // `#[cfg(test)] mod tests {`: from there on it is tests; `mod tests;` alone is not.
            let begins = test_comes && line.starts_with("mod ") && line.ends_with('{');
            test_comes = *line == "#[cfg(test)]";
            !begins
        })
        .map(|(index, line)| (index + 1, if line.trim_start().starts_with("//") { "" } else { line }))
}

/// Whether the whole file is tests, or samples for them.
pub(super) fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("/gallery.rs")
        || path.contains("/tests/")
}

/// The words of an identifier, in lower case: `snake_case`, `CamelCase` and `SCREAMING_CASE` alike.
pub(super) fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_uppercase() && !before.is_uppercase()) {
            words.push(String::new());
        }
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn words_of_identifiers() {
    assert_eq!(words("NewDeviceHelper"), ["new", "device", "helper"]);
    assert_eq!(words("wait_until"), ["wait", "until"]);
    assert_eq!(words("MAX_BYTES"), ["max", "bytes"]);
}

#[test]
fn shipped_code_ends_where_the_tests_begin() {
    let text = "#[cfg(test)]\nmod tests;\n// why\ncode\n#[cfg(test)]\nmod tests {\n    sleep()\n}\n";
    let lines: Vec<(usize, &str)> = shipped(text).filter(|(_, line)| !line.is_empty()).collect();
    assert_eq!(lines, [(1, "#[cfg(test)]"), (2, "mod tests;"), (4, "code"), (5, "#[cfg(test)]")]);
}
