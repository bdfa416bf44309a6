//! `dist`: release builds and what carries them, in `target/dist/`: one `.tar.gz` a program and target, and `.deb`
//! packages where cargo-deb is installed. Other targets are built with cross (`CROSS_CONFIG=cross.toml`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{command, output, tools};

/// A package, its program, the profile it is shipped in, and the files that go with it.
pub(crate) struct Program {
    package: &'static str,
    binary: &'static str,
    profile: &'static str,
    files: &'static [&'static str],
    /// What its Debian package calls its settings in `/etc/gatelodge`.
    settings: Option<&'static str>,
}

/// What is shipped.
pub(crate) const PROGRAMS: [Program; 3] = [
    Program {
        package: "gatelodge-agent",
        binary: "gatelodge-agent",
        profile: "device",
        files: &["systemd/gatelodge-agent.service"],
        settings: Some("agent.toml"),
    },
    Program {
        package: "gatelodge-cloud",
        binary: "gatelodge-cloud",
        profile: "release",
        files: &["systemd/gatelodge-cloud.service"],
        settings: Some("cloud.toml"),
    },
    Program { package: "gatelodge-technician", binary: "gatelodge", profile: "release", files: &[], settings: None },
];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let host = host()?;
    let targets = if arguments.is_empty() { vec![host.clone()] } else { arguments.to_vec() };
    let folder = command::target().join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for target in &targets {
        let is_host = *target == host;
        // Servers are of this machine's kind; a device and a technician's computer may be of any.
        for program in PROGRAMS.iter().filter(|program| is_host || program.package != "gatelodge-cloud") {
            output::step(&format!("{} for {target}", program.binary));
            let built = if is_host { program.build()? } else { program.cross_build(target)? };
            output::line(&pack(program, target, &built, &folder)?.display().to_string());
            if is_host {
                package(program, &built, &folder)?;
            }
        }
    }
    Ok(())
}

fn host() -> anyhow::Result<String> {
    let told = command::read(Command::new("rustc").current_dir(command::root()).arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

impl Program {
    /// Builds it for this machine, alone, so that it has the features it is shipped with and no others.
    pub(crate) fn build(&self) -> anyhow::Result<PathBuf> {
        command::run(&mut command::cargo(&self.arguments()))?;
        Ok(command::target().join(self.profile).join(self.binary))
    }

    fn cross_build(&self, target: &str) -> anyhow::Result<PathBuf> {
        if tools::find("cross").is_none() {
            bail!("building for {target} needs cross and a container engine: cargo install cross");
        }
        let mut cross = Command::new("cross");
        cross.args(self.arguments()).args(["--target", target]);
        command::run(cross.current_dir(command::root()).env("CROSS_CONFIG", "cross.toml"))?;
        Ok(command::target().join(target).join(self.profile).join(self.binary))
    }

    fn arguments(&self) -> [&'static str; 8] {
        ["build", "--locked", "--profile", self.profile, "-p", self.package, "--bin", self.binary]
    }
}

/// `NAME-VERSION-TARGET.tar.gz` with one folder of that name inside, the same bytes for the same input.
fn pack(program: &Program, target: &str, built: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("{}-{}-{target}", program.binary, env!("CARGO_PKG_VERSION"));
    let inside = folder.join(&name);
    fs::create_dir_all(&inside).with_context(|| format!("cannot make {}", inside.display()))?;
    let root = command::root();
    let files = program.files.iter().chain(&["LICENSE", "README.md"]).map(|file| root.join(file));
    for file in files.chain([built.to_owned()]) {
        let to = inside.join(file.file_name().unwrap_or_default());
        fs::copy(&file, &to).with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
        "--use-compress-program=gzip -n",
        "--create",
        "--file",
    ]);
    command::run(tar.arg(&archive).arg("--directory").arg(folder).arg(&name))?;
    fs::remove_dir_all(&inside).with_context(|| format!("cannot remove {}", inside.display()))?;
    Ok(archive)
}

fn package(program: &Program, built: &Path, folder: &Path) -> anyhow::Result<()> {
    if tools::find("cargo-deb").is_none() {
        output::line("cargo-deb is not installed: no .deb was made (cargo install cargo-deb)");
        return Ok(());
    }
    if let Some(name) = program.settings {
        let settings = command::read(Command::new(built).args(["config", "--print-default"]))?;
        let file = built.with_file_name(name);
        fs::write(&file, settings).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let mut deb = command::cargo(&["deb", "--no-build", "--profile", program.profile, "-p", program.package, "-o"]);
    command::run(deb.arg(folder))
}
