//! Names say what a thing is. The words that say nothing are not used, and a layer has one name in every feature.

use super::{Tree, bites, code, holds};

/// Words that hide what a thing does.
const EMPTY: [&str; 5] = ["manager", "helper", "util", "utils", "misc"];

/// What introduces a name of ours.
const INTRODUCE: [&str; 9] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static", "macro_rules!"];

/// Other names for layers that have one already.
const SYNONYMS: [(&str, &str); 14] = [
    ("models", "model"),
    ("types", "model"),
    ("entity", "model"),
    ("entities", "model"),
    ("repository", "store"),
    ("queries", "store"),
    ("services", "service"),
    ("handlers", "portal or api"),
    ("routes", "portal or api"),
    ("views", "portal"),
    ("pages", "portal"),
    ("controllers", "portal or api"),
    ("tasks", "jobs"),
    ("state_machine", "machine"),
];

/// The features of the cloud, whose folders follow one pattern.
pub(super) const FEATURES: [&str; 14] = [
    "accounts",
    "devices",
    "activation",
    "sessions",
    "recordings",
    "claims",
    "licences",
    "subscriptions",
    "contracts",
    "incidents",
    "help",
    "notifications",
    "gateway",
    "overview",
];

fn identifiers(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    // The names of tests are sentences, in which these words may stand.
    for (path, text) in tree.rust().filter(|(path, _)| !code::is_test(path) || path.starts_with("tests/harness/")) {
        for (number, line) in code::shipped(text) {
            if let Some(name) = introduced(line)
                && let Some(word) = empty(&code::words(name))
            {
                broken.push(format!("{path}:{number}: `{name}` has the word `{word}`, which says nothing"));
            }
        }
    }
    broken
}

/// The name that a line introduces.
fn introduced(line: &str) -> Option<&str> {
    let mut tokens = line.trim_start().split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!'));
    let first = tokens.next()?;
    let modifiers = ["pub", "crate", "super", "async", "const", "unsafe", "", "in", "extern", "C"];
    let mut token = first;
    loop {
        if INTRODUCE.contains(&token) {
            let name = tokens.find(|token| !token.is_empty())?;
            // `const fn name`: the next keyword introduces it.
            if !INTRODUCE.contains(&name) {
                return Some(name);
            }
            token = name;
            continue;
        }
        if !modifiers.contains(&token) {
            return None;
        }
        token = tokens.next()?;
    }
}

fn empty(words: &[String]) -> Option<&str> {
    if words.len() > 1 && words[0] == "new" {
        return Some("new_");
    }
    // At the front it says "whatever else there is"; elsewhere it may be a plain word, as of passwords.
    if words.first().is_some_and(|word| word == "common") {
        return Some("common");
    }
    let version = |word: &&String| *word == "v2" || *word == "v3";
    words.iter().find(|word| EMPTY.contains(&word.as_str()) || version(word)).map(String::as_str)
}

fn files(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, _) in tree.rust() {
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
        if let Some(word) = empty(&code::words(stem)) {
            broken.push(format!("{path}: the word `{word}` in a file's name says nothing"));
        }
        let feature = path.strip_prefix("cloud/src/").and_then(|rest| rest.split_once('/')).map(|(folder, _)| folder);
        if feature.is_some_and(|folder| FEATURES.contains(&folder))
            && let Some((_, layer)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == stem)
        {
            broken.push(format!("{path}: this layer is called {layer} in every feature"));
        }
    }
    broken
}

#[test]
fn identifiers_say_something() {
    holds(identifiers);
}

#[test]
fn files_have_the_names_of_their_layers() {
    holds(files);
}

#[test]
fn empty_words_are_seen() {
    let source = "pub(crate) struct DeviceManager;\n    pub async fn new_device() {}\nconst fn parse_v2() {}\nfn renew() {}\nlet new_one = 1;\n";
    bites(
        identifiers,
        &[("a/src/x.rs", source)],
        &[
            "a/src/x.rs:1: `DeviceManager` has the word `manager`, which says nothing",
            "a/src/x.rs:2: `new_device` has the word `new_`, which says nothing",
            "a/src/x.rs:3: `parse_v2` has the word `v2`, which says nothing",
        ],
    );
}

#[test]
fn other_names_for_layers_are_seen() {
    bites(
        files,
        &[
            ("cloud/src/devices/handlers.rs", ""),
            ("cloud/src/devices/service.rs", ""),
            ("cloud/src/web/routes.rs", ""),
            ("agent/src/net_utils.rs", ""),
        ],
        &[
            "agent/src/net_utils.rs: the word `utils` in a file's name says nothing",
            "cloud/src/devices/handlers.rs: this layer is called portal or api in every feature",
        ],
    );
}
