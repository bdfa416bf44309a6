//! `bench`: builds what is shipped, as it is shipped, and measures it. One JSON object a row:
//! `{id, value, unit, peer?, ratio?}`; a row with a `peer` was measured in the same run as that peer.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use crate::{command, output};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let out = match arguments {
        [] => None,
        [flag, file] if flag == "--json" => Some(PathBuf::from(file)),
        other => bail!("bench takes `--json FILE` or nothing, and got `{}`", other.join(" ")),
    };
    output::step("build");
    command::run(&mut command::cargo(&["build", "--profile", "device", "--locked", "-p", "gatelodge-agent"]))?;
    command::run(&mut command::cargo(&["build", "--release", "--locked", "-p", "gatelodge-cloud"]))?;
    command::run(&mut command::cargo(&["build", "--release", "--locked", "-p", "gatelodge-technician"]))?;
    command::run(&mut command::cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "gatelodge-tests",
        "--bin",
        "gatelodge-bench",
    ]))?;

    output::step("measure");
    let target = command::target();
    let agent = target.join("device/gatelodge-agent");
    let mut rows = vec![size("agent_binary_mib", &agent)?];
    let bench = target.join("release/gatelodge-bench");
    let measured = command::read(std::process::Command::new(bench).arg("--agent").arg(&agent))?;
    rows.extend(measured.lines().map(str::to_owned));
    let text = rows.join("\n") + "\n";
    output::text(&text);
    match out {
        Some(file) => fs::write(&file, text).with_context(|| format!("cannot write {}", file.display())),
        None => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no program is 2^52 bytes long")]
fn size(id: &str, program: &std::path::Path) -> anyhow::Result<String> {
    let bytes = fs::metadata(program).with_context(|| format!("cannot measure {}", program.display()))?.len();
    Ok(format!(r#"{{"id":"{id}","value":{:.2},"unit":"MiB"}}"#, bytes as f64 / 1_048_576.0))
}
