//! The programs that tests need beside Rust: found, or installed by the system's packages when that is allowed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{command, output};

/// A program that tests need.
pub(crate) struct Tool {
    /// What people call it.
    name: &'static str,
    /// Its executables; all of them must be there.
    programs: &'static [&'static str],
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// What is not tested without it.
    without: &'static str,
}

/// Everything the tests use.
pub(crate) const ALL: [Tool; 10] = [
    Tool {
        name: "PostgreSQL",
        programs: &["initdb", "postgres"],
        packages: &["postgresql"],
        without: "every store test on PostgreSQL",
    },
    Tool {
        name: "Chromium",
        programs: &["chromium", "chromedriver"],
        packages: &["chromium", "chromium-driver"],
        without: "the stories in a browser",
    },
    Tool {
        name: "Mosquitto",
        programs: &["mosquitto"],
        packages: &["mosquitto"],
        without: "the message stories on an external broker",
    },
    Tool {
        name: "strace",
        programs: &["strace"],
        packages: &["strace"],
        without: "the order of sync and receipt, and power cuts on the device",
    },
    Tool {
        name: "libfaketime",
        programs: &["faketime"],
        packages: &["faketime"],
        without: "devices whose clock is wrong, and renewals that are due",
    },
    Tool {
        name: "script",
        programs: &["script"],
        packages: &["bsdutils"],
        without: "the step of the story that a technician plays on a terminal",
    },
    Tool {
        name: "iproute2 and nftables",
        programs: &["ip", "nft"],
        packages: &["iproute2", "nftables"],
        without: "the technician's VPN between namespaces",
    },
    Tool {
        name: "Squid",
        programs: &["squid"],
        packages: &["squid"],
        without: "everything through HTTP proxies, between namespaces",
    },
    Tool {
        name: "Avahi",
        programs: &["avahi-daemon"],
        packages: &["avahi-daemon"],
        without: "looking around on a network where somebody answers by mDNS",
    },
    Tool {
        name: "npm",
        programs: &["npm"],
        packages: &["npm"],
        without: "the accessibility checks in the browser stories (axe-core)",
    },
];

/// Finds what is there and installs the rest when this is root on a Debian; gives what is still missing.
pub(crate) fn provide() -> Vec<&'static Tool> {
    let missing: Vec<&Tool> = ALL.iter().filter(|tool| !tool.is_there()).collect();
    for tool in ALL.iter().filter(|tool| tool.is_there()) {
        output::line(&format!("{}: found", tool.name));
    }
    if missing.is_empty() || !may_install() {
        return missing;
    }
    let packages: Vec<&str> = missing.iter().flat_map(|tool| tool.packages).copied().collect();
    output::line(&format!("installing {}", packages.join(", ")));
    if let Err(error) = install(&packages) {
        output::line(&format!("{error:#}"));
    }
    missing.into_iter().filter(|tool| !tool.is_there()).collect()
}

/// The accessibility checker, pinned by `tests/browser/package-lock.json`, unpacked into `target/browser/`.
pub(crate) fn provide_axe() -> anyhow::Result<()> {
    let (pins, folder) = (command::root().join("tests/browser"), command::target().join("browser"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = "package-lock.json";
    let same = fs::read(pins.join(lock)).ok() == fs::read(folder.join(lock)).ok();
    if same && folder.join("node_modules/axe-core/axe.min.js").exists() {
        output::line("axe-core: found");
        return Ok(());
    }
    for name in ["package.json", lock] {
        fs::copy(pins.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    output::line("installing axe-core");
    command::run(Command::new("npm").current_dir(&folder).args([
        "ci",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]))
}

impl Tool {
    fn is_there(&self) -> bool {
        self.programs.iter().all(|program| find(program).is_some())
    }

    /// What a person does to get it, and what is skipped until then.
    pub(crate) fn advice(&self) -> String {
        let (name, packages, without) = (self.name, self.packages.join(" "), self.without);
        format!("{name} is missing: {without} cannot run. On Debian or Ubuntu: sudo apt-get install {packages}")
    }
}

/// The first executable of that name in `PATH` or where Debian hides it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn may_install() -> bool {
    // The owner of a process's own folder in /proc is its effective user.
    use std::os::unix::fs::MetadataExt as _;
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    is_root && Path::new("/usr/bin/apt-get").exists()
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
        command
    };
    let wanted: Vec<&str> = ["install", "--no-install-recommends"].iter().chain(packages).copied().collect();
    // A fresh image has no package lists, an old one has stale ones: refresh before the first try.
    command::run(&mut apt(&["update"]))?;
    command::run(&mut apt(&wanted))
}
