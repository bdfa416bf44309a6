//! Links in the documents lead somewhere: to a file of the repository, and to a heading where one is named.

use super::{Tree, bites, holds};

fn rule(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending(".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { path.to_owned() } else { resolve(folder, file) };
            let is_folder = tree.0.keys().any(|known| known.starts_with(&format!("{}/", target.trim_end_matches('/'))));
            match (tree.0.get(&target), heading) {
                (None, _) if is_folder => {}
                (None, _) => broken.push(format!("{path}: `{link}` leads nowhere")),
                (Some(text), Some(heading)) if !anchors(text).iter().any(|anchor| anchor == heading) => {
                    broken.push(format!("{path}: `{link}` names a heading that is not there"));
                }
                (Some(_), _) => {}
            }
        }
    }
    broken
}

/// The targets of `[words](target)` and `src="target"`, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (before, after) in [("](", ')'), ("src=\"", '"')] {
            found.extend(line.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(link, _)| link));
        }
    }
    found
}

fn resolve(folder: &str, file: &str) -> String {
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in file.split('/') {
        match step {
            "." | "" => {}
            ".." => drop(steps.pop()),
            name => steps.push(name),
        }
    }
    steps.join("/")
}

/// The anchors that a renderer makes of headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    holds(rule);
}

#[test]
fn a_dead_link_is_seen() {
    bites(
        rule,
        &[
            (
                "README.md",
                "[a](docs/a.md#how-it-works) [b](docs/b.md) [c](docs) <img src=\"x.png\">\n```\n[d](no.md)\n```\n",
            ),
            ("docs/a.md", "# How it works\n[up](../README.md) [there](#nowhere) [web](https://x.test/y)\n"),
        ],
        &[
            "README.md: `docs/b.md` leads nowhere",
            "README.md: `x.png` leads nowhere",
            "docs/a.md: `#nowhere` names a heading that is not there",
        ],
    );
}
