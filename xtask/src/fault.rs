//! `fault`: builds the programs, then hands over to `gatelodge-fault`, which lists the faults or does one.

use crate::{command, output, tools};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    output::step("what the faults need");
    for missing in tools::provide() {
        output::line(&missing.advice());
    }
    output::step("build");
    command::run(&mut command::cargo(&["build", "--workspace", "--all-targets", "--locked", "--quiet"]))?;
    let fault = command::target().join("debug/gatelodge-fault");
    command::run(std::process::Command::new(fault).args(arguments).current_dir(command::root()))
}
