//! Every sentence is there in every language, is used, and every key a page or handler names exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{Language, Phrase, say};

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Key -> its text with continuation lines.
fn sentences(language: Language) -> BTreeMap<String, String> {
    let mut paths = Vec::new();
    files(&root().join("locales").join(language.tag()), "ftl", &mut paths);
    let mut all = BTreeMap::new();
    for path in paths {
        let mut current: Option<String> = None;
        for line in fs::read_to_string(&path).unwrap().lines() {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                let (key, text) = line.split_once('=').unwrap_or_else(|| panic!("{}: {line}", path.display()));
                let key = key.trim().to_owned();
                assert!(all.insert(key.clone(), text.to_owned()).is_none(), "{key} twice in {language}");
                current = Some(key);
            } else if let Some(key) = &current {
                all.get_mut(key).unwrap().push_str(line);
            }
        }
    }
    all
}

/// `{ $name }` in a text.
fn arguments(text: &str) -> BTreeSet<&str> {
    text.split('$').skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap()).collect()
}

#[test]
fn every_language_has_the_same_sentences_with_the_same_data() {
    let english = sentences(Language::En);
    for language in Language::ALL {
        let other = sentences(language);
        let missing: Vec<_> = english.keys().filter(|key| !other.contains_key(*key)).collect();
        let surplus: Vec<_> = other.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "{language}: missing {missing:?}, surplus {surplus:?}");
        for (key, text) in &english {
            assert_eq!(arguments(text), arguments(&other[key]), "{key} in {language}");
        }
    }
}

#[test]
fn every_sentence_is_named_somewhere_and_every_named_sentence_exists() {
    let known = sentences(Language::En);
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    files(&root().join("templates"), "html", &mut paths);
    files(&root().join("templates"), "txt", &mut paths);
    let source: String = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let texts: BTreeSet<&str> = source.split('"').collect();
    // `format!("life-{}", life.word())` names a family.
    let families: Vec<&str> = texts
        .iter()
        .filter_map(|text| text.split_once('{').map(|(stem, _)| stem))
        .filter(|s| s.ends_with('-'))
        .collect();
    let families: Vec<&str> = families.into_iter().filter(|stem| stem.len() > 2).collect();
    let unused: Vec<_> = known
        .keys()
        .filter(|key| !texts.contains(key.as_str()) && !families.iter().any(|stem| key.starts_with(stem)))
        .collect();
    assert!(unused.is_empty(), "in locales, but named nowhere: {unused:#?}");

    let mut named = BTreeSet::new();
    for opening in [".t(\"", ".t1(\"", ".t2(\"", "Phrase::new(\"", "flash(\""] {
        named.extend(source.split(opening).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    let missing: Vec<_> = named.into_iter().filter(|key| !key.contains('{') && !known.contains_key(*key)).collect();
    assert!(missing.is_empty(), "named, but not in locales: {missing:#?}");
}

#[test]
fn a_sentence_is_filled_without_invisible_marks() {
    let phrase = Phrase::new("refused-id-code-length").with("length", 4_usize);
    assert_eq!(
        phrase.say(Language::En),
        "An ID code has 12 characters; this one has 4. Type it as on the label, like 7K3M-9QWX-22FP."
    );
    assert_eq!(say(Language::Fr, "sign-in-title"), "Connexion");
    assert_eq!(say(Language::Fr, "no-such-key"), "⟦no-such-key⟧");
}
