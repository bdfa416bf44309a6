//! One way down: crates import towards `proto`; inside the cloud `config, clock <- kits <- features <- wiring <- cli <- main`,
//! and a feature sees of another only what that one shows.

use super::{Tree, bites, code, holds, names::FEATURES};

/// Crate and the crates of ours that it may import.
const CRATES: [(&str, &[&str]); 6] = [
    ("proto", &[]),
    ("agent", &["proto"]),
    ("cloud", &["proto"]),
    ("technician", &["proto"]),
    ("tests", &["proto", "agent", "cloud", "technician"]),
    ("xtask", &[]),
];

/// What stands below every kit.
const BASE: [&str; 2] = ["config", "clock"];

/// What knows no feature.
const KITS: [&str; 15] = [
    "kits", "db", "i18n", "render", "web", "mail", "jobs", "mqtt", "pki", "audit", "files", "relay", "limits",
    "output", "token",
];

/// Features that may see each other's neighbours to the left: a feature imports only features of a lower rank.
const RANKS: [(&str, u8); 14] = [
    ("accounts", 0),
    ("devices", 1),
    ("activation", 2),
    ("sessions", 2),
    ("claims", 2),
    ("licences", 2),
    ("subscriptions", 2),
    ("contracts", 2),
    ("incidents", 2),
    ("help", 2),
    ("recordings", 3),
    ("notifications", 3),
    ("gateway", 3),
    ("overview", 4),
];

/// What a feature keeps to itself.
const PRIVATE: [&str; 7] = ["store", "machine", "portal", "api", "ingest", "jobs", "tests"];

fn crates(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (own, allowed) in CRATES {
        let Some(manifest) = tree.0.get(&format!("{own}/Cargo.toml")) else { continue };
        for line in manifest.lines() {
            let Some(rest) = line.strip_prefix("gatelodge-") else { continue };
            let other = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if !allowed.contains(&other) {
                broken.push(format!("{own}/Cargo.toml: {own} imports {other}, and nothing goes up"));
            }
        }
    }
    broken
}

fn folders(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !code::is_test(path)) {
        let Some(inside) = path.strip_prefix("cloud/src/") else { continue };
        let own = inside.split(['/', '.']).next().unwrap_or_default();
        if ["lib", "main", "cli", "wiring"].contains(&own) {
            continue;
        }
        if !known(own) {
            broken.push(format!(
                "{path}: `{own}` is neither kit nor feature; give it its place in tests/it/tidy/imports.rs"
            ));
            continue;
        }
        let shipped: String = code::shipped(text).flat_map(|(_, line)| [line, "\n"]).collect();
        for import in imports(&shipped) {
            if let Some(why) = refusal(own, &import) {
                broken.push(format!("{path}: `crate::{}`: {why}", import.join("::")));
            }
        }
    }
    broken
}

fn known(folder: &str) -> bool {
    BASE.contains(&folder) || KITS.contains(&folder) || rank(folder).is_some()
}

fn rank(folder: &str) -> Option<u8> {
    RANKS.iter().find(|(feature, _)| *feature == folder).map(|(_, rank)| *rank)
}

/// Why `own` may not import this, if so.
fn refusal(own: &str, import: &[String]) -> Option<String> {
    let other = import.first()?.as_str();
    if other == own {
        return None;
    }
    if other == "wiring" || other == "cli" {
        return Some(format!("{other} comes last and is imported by nobody"));
    }
    if BASE.contains(&own) && KITS.contains(&other) && other != "db" {
        return Some(format!("`{own}` stands below the kits"));
    }
    let theirs = rank(other)?;
    let Some(ours) = rank(own) else {
        return Some(format!("`{own}` is a kit, and kits never know a feature"));
    };
    if theirs >= ours {
        return Some(format!("`{own}` stands beside or left of `{other}`; features import to their left"));
    }
    let layer = import.get(1)?.as_str();
    // A page over several features shows rows as their own pages do.
    if own == "overview" && layer == "portal" {
        return None;
    }
    PRIVATE.contains(&layer).then(|| format!("`{layer}` is `{other}`'s own; take its model or its service"))
}

/// The paths after `crate::`, two steps deep, groups in braces taken apart.
fn imports(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_own = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if !is_own {
            let rest = &code[at + "crate::".len()..];
            collect(rest, &mut Vec::new(), &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Reads `a::b`, `a::{b, c::d}` or `{a, b}` and gives what follows it.
fn collect<'a>(text: &'a str, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            inside = inside.trim_start_matches([',', ' ', '\n', '\t']);
            if inside.is_empty() {
                return inside;
            }
            if let Some(after) = inside.strip_prefix('}') {
                return after;
            }
            let before = inside.len();
            inside = collect(inside, above, found);
            // `as name`, `*`, `self`: nothing that names a folder.
            if inside.len() == before {
                inside = inside.get(1..).unwrap_or_default();
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return text;
    }
    above.push(name.to_owned());
    let after = match rest.strip_prefix("::") {
        Some(deeper) if above.len() < 2 => collect(deeper, above, found),
        Some(deeper) => {
            found.push(above.clone());
            collect(deeper, &mut vec![String::new(); 8], &mut Vec::new())
        }
        None => {
            found.push(above.clone());
            rest
        }
    };
    above.pop();
    after
}

#[test]
fn crates_import_downwards() {
    holds(crates);
}

#[test]
fn folders_of_the_cloud_import_downwards() {
    holds(folders);
}

#[test]
fn every_feature_has_a_rank() {
    assert!(FEATURES.iter().all(|feature| rank(feature).is_some()));
}

#[test]
fn an_import_upwards_is_seen() {
    bites(
        crates,
        &[
            ("proto/Cargo.toml", "[dependencies]\ngatelodge-agent.workspace = true\n"),
            ("tests/Cargo.toml", "gatelodge-cloud = {}\n"),
        ],
        &["proto/Cargo.toml: proto imports agent, and nothing goes up"],
    );
    bites(
        folders,
        &[
            ("cloud/src/web/mod.rs", "use crate::{clock::Clock,\n    accounts::model::User};\n"),
            (
                "cloud/src/devices/service.rs",
                "use crate::{accounts::{model::User, store}, sessions::service, db::Tx};\n",
            ),
            (
                "cloud/src/devices/jobs.rs",
                "fn x() { crate::wiring::start() } // crate::sessions\n#[cfg(test)]\nmod tests {\n use crate::sessions::x; }\n",
            ),
            ("cloud/src/devices/api.rs", "/// [`crate::sessions`]\nuse crate::accounts::model;\n"),
            ("cloud/src/stuff/mod.rs", ""),
        ],
        &[
            "cloud/src/devices/jobs.rs: `crate::sessions`: `devices` stands beside or left of `sessions`; features import to their left",
            "cloud/src/devices/jobs.rs: `crate::wiring::start`: wiring comes last and is imported by nobody",
            "cloud/src/devices/service.rs: `crate::accounts::store`: `store` is `accounts`'s own; take its model or its service",
            "cloud/src/devices/service.rs: `crate::sessions::service`: `devices` stands beside or left of `sessions`; features import to their left",
            "cloud/src/stuff/mod.rs: `stuff` is neither kit nor feature; give it its place in tests/it/tidy/imports.rs",
            "cloud/src/web/mod.rs: `crate::accounts::model`: `web` is a kit, and kits never know a feature",
        ],
    );
}
