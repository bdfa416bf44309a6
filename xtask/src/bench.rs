//! `bench`: builds what is shipped, as it is shipped, and measures it. One JSON object a row:
//! `{id, value, unit, peer?, ratio?}`; a row with a `peer` was measured in the same run as that peer.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{command, dist, output};

const FLEET: &str = "fleet";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// Arguments of `gatelodge-bench`; the fleet is measured when there are any.
    fleet: Vec<String>,
    json: Option<PathBuf>,
}

fn read(arguments: &[String]) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().with_context(|| format!("{argument} needs a value"));
        match (argument.as_str(), wanted.fleet.is_empty()) {
            (FLEET, true) => wanted.fleet.push(FLEET.to_owned()),
            ("--quick", false) => wanted.fleet.push(argument.clone()),
            ("--devices", false) => wanted.fleet.extend([argument.clone(), value()?]),
            ("--json", _) => wanted.json = Some(value()?.into()),
            _ => bail!("bench takes `[fleet [--quick] [--devices N]] [--json FILE]`, and got `{argument}`"),
        }
    }
    Ok(wanted)
}

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let Wanted { fleet, json: out } = read(arguments)?;
    output::step("build");
    for program in &dist::PROGRAMS {
        program.build()?;
    }
    let measuring = ["--bin", "gatelodge-bench", "--bin", "gatelodge-sim"];
    let mut build = vec!["build", "--release", "--locked", "-p", "gatelodge-tests"];
    build.extend(measuring);
    command::run(&mut command::cargo(&build))?;

    output::step("measure");
    let target = command::target();
    let agent = target.join("device/gatelodge-agent");
    let mut rows = vec![size("agent_binary_mib", &agent)?];
    let bench = target.join("release/gatelodge-bench");
    let mut measure = Command::new(bench);
    measure.arg("--agent").arg(&agent).args(&fleet).stderr(Stdio::inherit());
    let measured = command::read(&mut measure)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_fleet_has_its_own_arguments() {
        let fleet = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (none, file) = (Wanted::default(), Some(PathBuf::from("x.jsonl")));
        assert_eq!(read(&[]).unwrap(), none);
        assert_eq!(read(&words("--json x.jsonl")).unwrap(), Wanted { json: file.clone(), ..none });
        let all = read(&words("fleet --devices 50 --quick --json x.jsonl")).unwrap();
        assert_eq!(all, Wanted { fleet: fleet(&["fleet", "--devices", "50", "--quick"]), json: file });
        for wrong in ["--quick", "--devices 5", "fleet fleet", "--json", "fleet --devices"] {
            assert!(read(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
