//! Every decoder over its committed corpus and over mutants of it, on stable Rust: `proto/fuzz` and `cloud/fuzz` run
//! the same functions under libFuzzer.

// The targets are crates of their own outside the workspace, because libFuzzer needs nightly Rust.
#[expect(unreachable_pub, reason = "the fuzz programs call them")]
#[path = "../../agent/fuzz/src/lib.rs"]
mod agent;
#[expect(unreachable_pub, reason = "the fuzz programs call them")]
#[path = "../../cloud/fuzz/src/lib.rs"]
mod cloud;
#[expect(unreachable_pub, reason = "the fuzz programs call them")]
#[path = "../../proto/fuzz/src/lib.rs"]
mod proto;
mod seeds;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use gatelodge_proto::Random;
use gatelodge_tests::programs::repository;

type Target = fn(&[u8]) -> bool;

/// Mutants of each corpus in each run. `GATELODGE_MUTANTS` makes more, and `cargo fuzz` goes on for as long as one likes.
const MUTANTS: u64 = 400;
/// A corpus is a sample, not an archive.
const LARGEST: usize = 8 * 1024;

fn crates() -> [(PathBuf, Vec<(&'static str, Target)>); 3] {
    let folder = |name: &str| repository().join(name).join("fuzz");
    [
        (folder("agent"), agent::TARGETS.to_vec()),
        (folder("proto"), proto::TARGETS.to_vec()),
        (folder("cloud"), cloud::TARGETS.to_vec()),
    ]
}

fn corpus(folder: &Path, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder.join("corpus").join(target);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_corpus_is_replayed_and_reaches_both_answers() {
    let mut wrong = Vec::new();
    for (folder, targets) in crates() {
        for (name, target) in targets {
            let mut answers = BTreeSet::new();
            for (file, bytes) in corpus(&folder, name) {
                assert!(bytes.len() <= LARGEST, "{name}/{file} has {} bytes", bytes.len());
                match catch_unwind(|| target(&bytes)) {
                    Ok(good) => drop(answers.insert(good)),
                    Err(_) => wrong.push(format!("{name}/{file}: a promise does not hold, see above")),
                }
            }
            if answers.len() < 2 {
                wrong.push(format!("{name}: every file is answered {answers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    for (folder, targets) in crates() {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let listed = |folder: PathBuf| -> BTreeSet<String> {
            let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
        };
        let names: BTreeSet<String> = targets.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed(folder.join("fuzz_targets")), names);
        assert_eq!(listed(folder.join("corpus")), names);
        for name in names {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in the manifest");
        }
    }
}

#[test]
fn mutants_break_no_promise() {
    let wanted = std::env::var("GATELODGE_MUTANTS").ok().and_then(|number| number.parse().ok());
    let mutants = wanted.unwrap_or(MUTANTS);
    for (folder, targets) in crates() {
        for (name, target) in targets {
            let corpus: Vec<Vec<u8>> = corpus(&folder, name).into_iter().map(|(_, bytes)| bytes).collect();
            // Another part of the same bytes each day would be found by nobody again.
            let random = Random::seeded(name.bytes().map(u64::from).sum());
            for number in 0..mutants {
                let bytes = mutant(&corpus, &random);
                let held = catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_ok();
                assert!(held, "{name}, mutant {number}: {}", bytes.escape_ascii());
            }
        }
    }
}

fn any(random: &Random, below: usize) -> usize {
    usize::try_from(random.below(u64::try_from(below.max(1)).unwrap())).unwrap()
}

/// One to four changes to a file of the corpus.
fn mutant(corpus: &[Vec<u8>], random: &Random) -> Vec<u8> {
    let mut bytes = corpus[any(random, corpus.len())].clone();
    for _ in 0..=any(random, 4) {
        let place = any(random, bytes.len() + 1);
        match any(random, 7) {
            0 if place < bytes.len() => bytes[place] ^= 1 << any(random, 8),
            1 if place < bytes.len() => bytes[place] = [0, 0xff, 0x7f, 0x80, b'"', b'\n', b'-', b':'][any(random, 8)],
            2 => bytes.insert(place, random.bytes::<1>()[0]),
            3 => bytes.truncate(place),
            4 => drop(bytes.drain(place..(place + any(random, 16)).min(bytes.len()))),
            5 => {
                let again = bytes[place..(place + any(random, 64)).min(bytes.len())].to_vec();
                bytes.splice(place..place, again);
            }
            _ => {
                let other = &corpus[any(random, corpus.len())];
                bytes.truncate(place);
                bytes.extend_from_slice(&other[any(random, other.len())..]);
            }
        }
    }
    bytes.truncate(LARGEST);
    bytes
}
