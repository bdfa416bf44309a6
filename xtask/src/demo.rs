//! `demo`: builds the programs, then hands over to `gatelodge-demo`.

use crate::{command, output};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    output::step("build");
    command::run(&mut command::cargo(&["build", "--workspace", "--bins", "--locked", "--quiet"]))?;
    let demo = command::target().join("debug/gatelodge-demo");
    command::run(std::process::Command::new(demo).args(arguments).current_dir(command::root()))
}
