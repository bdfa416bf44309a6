//! `bench`: builds what is shipped, as it is shipped, and measures it. One JSON object a row:
//! `{id, value, unit, peer?, ratio?}`; a row with a `peer` was measured in the same run as that peer.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{command, dist, output};

/// What `gatelodge-bench` measures besides the agent at rest, and its own arguments; those with a value end in `=`.
const KINDS: [(&str, &[&str]); 2] = [("fleet", &["--quick", "--devices="]), ("sessions", &["--quick"])];
/// Peers that no system package brings: crate and version. Built as they come, without our lock file.
const RATHOLE: [&str; 4] = ["install", "rathole", "--version", "0.5.0"];
/// Peers from the system's packages.
const PACKAGES: [&str; 2] = ["openssh-server", "openvpn"];

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// Arguments of `gatelodge-bench`; only the agent at rest and one forward are measured when there are none.
    arguments: Vec<String>,
    install_peers: bool,
    json: Option<PathBuf>,
}

impl Wanted {
    fn kind(&self) -> Option<&str> {
        self.arguments.first().map(String::as_str)
    }
}

fn read(arguments: &[String]) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().with_context(|| format!("{argument} needs a value"));
        let own = KINDS.iter().find(|(kind, _)| wanted.kind() == Some(kind)).map_or(&[][..], |(_, own)| own);
        if argument == "--json" {
            wanted.json = Some(value()?.into());
        } else if argument == "--install-peers" && wanted.kind() == Some("sessions") {
            wanted.install_peers = true;
        } else if own.contains(&format!("{argument}=").as_str()) {
            wanted.arguments.extend([argument.clone(), value()?]);
        } else if own.contains(&argument.as_str())
            || wanted.arguments.is_empty() && KINDS.iter().any(|(kind, _)| kind == argument)
        {
            wanted.arguments.push(argument.clone());
        } else {
            bail!(
                "bench takes `[fleet [--quick] [--devices N] | sessions [--quick] [--install-peers]] [--json FILE]`, \
                 and got `{argument}`"
            );
        }
    }
    Ok(wanted)
}

/// Puts rathole under `target/peers` and asks the system for the others, where this user may.
fn install_peers(folder: &std::path::Path) -> anyhow::Result<()> {
    output::step("install peers");
    let mut rathole = command::cargo(&RATHOLE);
    rathole.arg("--root").arg(folder).env("CARGO_TARGET_DIR", folder.join("build"));
    command::run(&mut rathole)?;
    let mut packages = Command::new("apt-get");
    command::run(packages.args(["install", "--yes", "--no-install-recommends"]).args(PACKAGES))
}

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let wanted = read(arguments)?;
    let peers = command::target().join("peers");
    if wanted.install_peers {
        install_peers(&peers)?;
    }
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
    measure.arg("--agent").arg(&agent).args(&wanted.arguments).stderr(Stdio::inherit());
    if wanted.kind() == Some("sessions") {
        measure.arg("--peers").arg(&peers);
    }
    let measured = command::read(&mut measure)?;
    rows.extend(measured.lines().map(str::to_owned));
    let text = rows.join("\n") + "\n";
    output::text(&text);
    match wanted.json {
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
    fn each_kind_has_its_own_arguments() {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (none, file) = (Wanted::default(), Some(PathBuf::from("x.jsonl")));
        assert_eq!(read(&[]).unwrap(), none);
        assert_eq!(read(&words("--json x.jsonl")).unwrap(), Wanted { json: file.clone(), ..none });
        let all = read(&words("fleet --devices 50 --quick --json x.jsonl")).unwrap();
        let arguments = of(&["fleet", "--devices", "50", "--quick"]);
        assert_eq!(all, Wanted { arguments, json: file, install_peers: false });
        let sessions = read(&words("sessions --install-peers --quick")).unwrap();
        assert_eq!(sessions, Wanted { arguments: of(&["sessions", "--quick"]), json: None, install_peers: true });
        for wrong in ["--quick", "--devices 5", "fleet fleet", "--json", "fleet --devices", "sessions --devices 5"] {
            assert!(read(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
