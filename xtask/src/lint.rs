//! `lint`: format, clippy with warnings as errors, and checks too small for a tool. Changes nothing.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};

use crate::{command, output, tools};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(first) = arguments.first() {
        bail!("lint takes no arguments, and got `{first}`");
    }
    output::step("format");
    command::run(&mut command::cargo(&["fmt", "--all", "--check"]))?;
    output::step("repository");
    repository(&command::root())?;
    output::step("clippy");
    command::run(&mut command::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    if tools::find("cargo-deny").is_some() {
        output::step("licences and bans");
        command::run(&mut command::cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))?;
    } else {
        output::line("cargo-deny is not installed: licences were not checked (cargo install cargo-deny)");
    }
    Ok(())
}

/// What no compiler sees: a dependency without its why, a leftover of a merge, a blank at a line's end.
fn repository(root: &Path) -> anyhow::Result<()> {
    let mut found = without_why(&read(&root.join("Cargo.toml"))?);
    let listed = command::read(std::process::Command::new("git").current_dir(root).args(["ls-files"]))?;
    for name in listed.lines().filter(|name| is_text(name)) {
        let Ok(text) = fs::read_to_string(root.join(name)) else { continue };
        found.extend(untidy(name, &text));
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("{} untidy {}:\n  {}", found.len(), if found.len() == 1 { "line" } else { "lines" }, found.join("\n  "))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn is_text(name: &str) -> bool {
    ["rs", "toml", "md", "ftl", "html", "css", "js", "sql", "service", "conf", "txt"].contains(&ending(name))
}

fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// The lines of `[workspace.dependencies]` that name an outside crate and do not say why.
fn without_why(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.contains("path = ") && !line.contains(" # "))
        .map(|line| format!("Cargo.toml: this dependency does not say why it is here: {line}"))
        .collect()
}

fn untidy(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark)) {
            found.push(format!("{place}: a merge was not finished here"));
        }
        if line.ends_with([' ', '\t']) && ending(name) != "md" {
            found.push(format!("{place}: blanks at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(format!("{name}: the last line does not end"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_its_why_is_named() {
        let manifest = "[workspace.dependencies]\nown = { path = \"own\" }\ngood = \"1\" # reads files\nbad = \"1\"\n\n[x]\na = 1\n";
        assert_eq!(without_why(manifest), ["Cargo.toml: this dependency does not say why it is here: bad = \"1\""]);
    }

    #[test]
    fn leftovers_are_named_with_their_place() {
        assert_eq!(untidy("a.rs", "fn a() {}\n"), Vec::<String>::new());
        assert_eq!(untidy("a.rs", "fn a() {} \n"), ["a.rs:1: blanks at the end of the line"]);
        assert_eq!(
            untidy("a.rs", ">>>>>>> theirs"),
            ["a.rs:1: a merge was not finished here", "a.rs: the last line does not end"]
        );
    }
}
