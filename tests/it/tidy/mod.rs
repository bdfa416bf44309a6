//! The house rules, read from the sources with plain text scanning. Each rule is a function from the repository's
//! files to sentences about what breaks it, so that each can be shown a planted sample.

mod code;
mod failures;
mod headings;
mod imports;
mod links;
mod locales;
mod names;
mod sizes;
mod waiting;

use std::{collections::BTreeMap, path::Path};

use gatelodge_tests::programs::repository;

/// The repository's text files by path, `/` between folders.
#[derive(Debug, Default)]
struct Tree(BTreeMap<String, String>);

impl Tree {
    /// The repository as it is on disk.
    fn of_repository() -> Self {
        let mut tree = Self::default();
        tree.collect(repository(), repository());
        tree
    }

    /// Planted files, for showing that a rule bites.
    fn planted(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn collect(&mut self, root: &Path, folder: &Path) {
        let entries = std::fs::read_dir(folder).expect("the repository can be read");
        for entry in entries {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            if path.is_dir() {
                if !["target", "node_modules", ".git"].contains(&name.as_ref()) {
                    self.collect(root, &path);
                }
            } else {
                // What is not text is no rule's business, and still something a link may point at.
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let relative = path.strip_prefix(root).expect("it lies below the root");
                self.0.insert(relative.to_string_lossy().into_owned(), text);
            }
        }
    }

    /// The files whose name ends like this.
    fn ending(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(move |(path, _)| path.ends_with(ending)).map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust sources.
    fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs")
    }
}

/// The test of one rule on the repository.
#[track_caller]
fn holds(rule: fn(&Tree) -> Vec<String>) {
    let broken = rule(&Tree::of_repository());
    assert!(broken.is_empty(), "{} broken:\n  {}", broken.len(), broken.join("\n  "));
}

/// The test that one rule bites: exactly these sentences for these files.
#[track_caller]
fn bites(rule: fn(&Tree) -> Vec<String>, files: &[(&str, &str)], sentences: &[&str]) {
    assert_eq!(rule(&Tree::planted(files)), sentences);
}
