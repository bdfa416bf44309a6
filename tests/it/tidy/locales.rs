//! Every sentence in every language: the same keys with the same data in each, none used that is missing, none
//! kept that is not used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tree, bites, code, holds};

/// Crates with languages; the first language is the one the others are compared with.
const CRATES: [&str; 2] = ["cloud", "agent"];
const LANGUAGES: [&str; 2] = ["en", "fr"];

/// What takes a key as its first argument: methods in templates, and a phrase for later.
const TAKE_A_KEY: [&str; 4] = [".t(", ".t1(", ".t2(", "Phrase::new("];

/// Key to the data its sentence names.
type Sentences = BTreeMap<String, BTreeSet<String>>;

fn rule(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for own in CRATES {
        let first = sentences(tree, own, LANGUAGES[0], &mut broken);
        for language in &LANGUAGES[1..] {
            let other = sentences(tree, own, language, &mut broken);
            for (key, data) in &first {
                match other.get(key) {
                    None => broken.push(format!("{own}/locales/{language}: `{key}` is missing")),
                    Some(theirs) if theirs != data => broken.push(format!(
                        "{own}/locales/{language}: `{key}` names {theirs:?}, and {} names {data:?}",
                        LANGUAGES[0]
                    )),
                    Some(_) => {}
                }
            }
            let extra = other.keys().filter(|key| !first.contains_key(*key));
            broken.extend(extra.map(|key| format!("{own}/locales/{language}: `{key}` is not in {}", LANGUAGES[0])));
        }
        let used = Used::by(tree, own);
        let unused = first.keys().filter(|key| !used.has(key));
        broken.extend(unused.map(|key| format!("{own}/locales: `{key}` is used nowhere")));
        for (path, key) in &used.asked {
            if !first.contains_key(key.as_str()) {
                broken.push(format!("{path}: `{key}` is asked for, and no language has it"));
            }
        }
    }
    broken
}

/// The sentences of one language of one crate; keys given twice are told.
fn sentences(tree: &Tree, own: &str, language: &str, broken: &mut Vec<String>) -> Sentences {
    let mut found = Sentences::new();
    let folder = format!("{own}/locales/{language}/");
    for (path, text) in tree.ending(".ftl").filter(|(path, _)| path.starts_with(&folder)) {
        let mut current: Option<String> = None;
        for line in text.lines() {
            let begins = line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-');
            if let Some((key, _)) = line.split_once('=').filter(|_| begins) {
                let key = key.trim().to_owned();
                if found.insert(key.clone(), BTreeSet::new()).is_some() {
                    broken.push(format!("{path}: `{key}` is there twice"));
                }
                current = Some(key);
            }
            if let Some(data) = current.as_ref().and_then(|key| found.get_mut(key)).filter(|_| !line.starts_with('#')) {
                data.extend(line.split('$').skip(1).map(|rest| {
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect::<String>()
                }));
            }
        }
    }
    // Terms (`-name`) are parts of other sentences, each language's own affair.
    found.retain(|key, _| !key.starts_with('-'));
    found
}

/// What code and templates say in quotes.
struct Used {
    literals: BTreeSet<String>,
    /// Literals with a hole, as what stands before and after it.
    patterns: Vec<(String, String)>,
    /// Where, and the key asked for.
    asked: BTreeSet<(String, String)>,
}

impl Used {
    fn by(tree: &Tree, own: &str) -> Self {
        let mut used = Self { literals: BTreeSet::new(), patterns: Vec::new(), asked: BTreeSet::new() };
        let (sources, templates, locales) =
            (format!("{own}/src/"), format!("{own}/templates/"), format!("{own}/locales/"));
        for (path, text) in &tree.0 {
            if path.starts_with(&sources) && path.rsplit('.').next() == Some("rs") && !code::is_test(path) {
                let shipped: String = code::shipped(text).flat_map(|(_, line)| [line, "\n"]).collect();
                used.read(path, &shipped);
            } else if path.starts_with(&templates) {
                used.read(path, text);
            } else if path.starts_with(&locales) {
                // A sentence inside another: { key }.
                let inner =
                    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.trim());
                used.literals.extend(inner.map(str::to_owned));
            }
        }
        used
    }

    fn read(&mut self, path: &str, text: &str) {
        let mut parts = text.split('"');
        let mut before = parts.next().unwrap_or_default();
        // Escaped quotes and lone ones shift the count, so every piece between two quotes is looked at.
        for piece in parts {
            if is_key(piece) {
                self.literals.insert(piece.to_owned());
                if asks(before) {
                    self.asked.insert((path.to_owned(), piece.to_owned()));
                }
            } else if let Some((start, rest)) = piece.split_once('{')
                && let Some((_, end)) = rest.rsplit_once('}')
                && start.ends_with('-')
                && is_key(start.trim_end_matches('-'))
            {
                self.patterns.push((start.to_owned(), end.to_owned()));
            }
            before = piece;
        }
    }

    fn has(&self, key: &str) -> bool {
        self.literals.contains(key)
            || self.patterns.iter().any(|(start, end)| {
                key.len() > start.len() + end.len() && key.starts_with(start.as_str()) && key.ends_with(end.as_str())
            })
    }
}

/// Whether what stands before a literal asks for the sentence of that key.
fn asks(before: &str) -> bool {
    let before = before.trim_end();
    // `say(language, "key")` and `say_with(language, "key", ..)`.
    let second = before.strip_suffix(',').and_then(|before| before.rsplit_once('('));
    second.is_some_and(|(function, _)| function.ends_with("say") || function.ends_with("say_with"))
        || TAKE_A_KEY.iter().any(|take| before.ends_with(take))
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[test]
fn every_sentence_is_in_every_language_and_used() {
    holds(rule);
}

#[test]
fn missing_and_unused_sentences_are_seen() {
    bites(
        rule,
        &[
            (
                "cloud/locales/en/a.ftl",
                "hello = Hello { $name }\ngone = Gone\nlife-active = Active\nold = Old\nwith-part = See { gone }\n",
            ),
            (
                "cloud/locales/fr/a.ftl",
                "hello = Bonjour { $nom }\ngone = Parti\nlife-active = Actif\nold = Vieux\nnew-one = Neuf\nold = Vieux\n",
            ),
            (
                "cloud/src/x.rs",
                "fn f() { page.t(\"hello\"); say(language, \"nowhere\"); t(&format!(\"life-{}\", w)); t(\"with-part\") }\n",
            ),
        ],
        &[
            "cloud/locales/fr/a.ftl: `old` is there twice",
            "cloud/locales/fr: `hello` names {\"nom\"}, and en names {\"name\"}",
            "cloud/locales/fr: `with-part` is missing",
            "cloud/locales/fr: `new-one` is not in en",
            "cloud/locales: `old` is used nowhere",
            "cloud/src/x.rs: `nowhere` is asked for, and no language has it",
        ],
    );
}
