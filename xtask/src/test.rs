//! `test`: provides what the tests need, builds every program once, runs everything, and says what was skipped.

use std::{fs, thread};

use anyhow::{Context as _, bail};

use crate::{command, output, tools};

/// How many tests run at the same time, for the test programs.
const THREADS: &str = "RUST_TEST_THREADS";

/// Most tests wait for other programs rather than compute; with more of them the browsers only wait for each other.
const TESTS_A_CORE: usize = 2;

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    output::step("what the tests need");
    let mut skipped: Vec<String> = tools::provide().into_iter().map(tools::Tool::advice).collect();
    if let Err(error) = tools::provide_axe() {
        skipped.push(format!("axe-core is missing: {error:#}"));
    }
    if command::in_ci() && !skipped.is_empty() {
        bail!("nothing may be skipped here, and this would be:\n  {}", skipped.join("\n  "));
    }

    output::step("build");
    command::run(&mut command::cargo(&["build", "--workspace", "--all-targets", "--locked", "--quiet"]))?;

    output::step("test");
    let notes = command::target().join("skipped.txt");
    fs::write(&notes, "").with_context(|| format!("cannot write {}", notes.display()))?;
    let mut test = command::cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--quiet"]);
    test.args(arguments).env("GATELODGE_PROGRAMS_BUILT", "1").env("GATELODGE_SKIPPED", &notes);
    if std::env::var_os(THREADS).is_none() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        test.env(THREADS, (cores * TESTS_A_CORE).to_string());
    }
    let ran = command::run(&mut test);

    let told = fs::read_to_string(&notes).with_context(|| format!("cannot read {}", notes.display()))?;
    skipped.extend(told.lines().map(str::to_owned));
    skipped.sort();
    skipped.dedup();
    output::step(&format!("skipped: {}", skipped.len()));
    for line in &skipped {
        output::line(line);
    }
    ran?;
    if command::in_ci() && !skipped.is_empty() {
        bail!("nothing may be skipped here");
    }
    Ok(())
}
