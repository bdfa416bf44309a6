//! A real HTTP proxy, Squid, in a place of its own.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;

use crate::{place::Place, process::Process, skip, wait::wait_until};

/// Who is let through.
pub const USER: &str = "Mufasa";
/// Its password.
pub const PASSWORD: &str = "circle-of-life";
/// What Squid's helper for Basic compares with: the password's MD5.
const PASSWORD_MD5: &str = "91a19d7f11ff771ee984b823ea35ffba";
const PORT: u16 = 3128;

/// How the proxy asks who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// It does not.
    Nothing,
    /// By a name and a password (RFC 7617).
    Basic,
    /// By proof that both know the password (RFC 7616).
    Digest,
}

/// A proxy. Dropping it ends it.
#[derive(Debug)]
pub struct Squid {
    process: Process,
    log: PathBuf,
    _place: Arc<Place>,
    _folder: tempfile::TempDir,
}

/// Where the proxy of that address is, with the password where it asks for one.
pub fn address(host: &str, asks: Asks) -> String {
    match asks {
        Asks::Nothing => format!("http://{host}:{PORT}"),
        Asks::Basic | Asks::Digest => format!("http://{USER}:{PASSWORD}@{host}:{PORT}"),
    }
}

impl Squid {
    /// Whether it is installed; noted when not.
    pub fn is_there(without: &str) -> anyhow::Result<bool> {
        Ok(skip::find_or_skip("squid", without)?.is_some())
    }

    /// Starts it in the place, which refuses to connect anybody to those ports.
    pub async fn start(place: Arc<Place>, asks: Asks, closed: &[u16]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatelodge-squid-").tempdir().context("cannot make a folder")?;
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("basic"), format!("{USER}:{PASSWORD_MD5}\n"))?;
        std::fs::write(at("digest"), format!("{USER}:{PASSWORD}\n"))?;
        std::fs::write(at("squid.conf"), settings(folder.path(), asks, closed))?;
        // Squid gives root away before it reads and writes these.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))?;
        for name in ["basic", "digest", "squid.conf"] {
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644))?;
        }
        let mut command = Command::new(skip::find("squid").context("squid is not installed")?);
        command.args(["-N", "-d", "1", "-f"]).arg(at("squid.conf"));
        let mut process = Process::start("squid", &mut place.command(&command))?;
        let listens = wait_until("the proxy listens", Duration::from_secs(90), async || {
            anyhow::ensure!(process.ended()?.is_none(), "the proxy ended");
            let here = SocketAddr::from(([127, 0, 0, 1], PORT));
            Ok(place.inside(|| std::net::TcpStream::connect(here)).is_ok().then_some(()))
        });
        listens.await.with_context(|| format!("squid wrote:\n{}", process.log()))?;
        Ok(Self { process, log: at("access.log"), _place: place, _folder: folder })
    }

    /// What it was asked, a line each: whether it connected, to where, and for whom.
    pub fn asked(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it says of itself.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn settings(folder: &Path, asks: Asks, closed: &[u16]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "http_port {PORT}\npid_filename none\ncache deny all\ncache_log /dev/null\nhosts_file /etc/hosts\n\
         visible_hostname gate\ncoredump_dir {folder}\nshutdown_lifetime 0 seconds\n\
         logformat asked %Ss/%>Hs %rm %ru %un\naccess_log stdio:{folder}/access.log logformat=asked\n\
         buffered_logs off\n"
    );
    let (scheme, helper, more) = match asks {
        Asks::Nothing => ("", "", ""),
        Asks::Basic => ("basic", "basic_ncsa_auth", "auth_param basic casesensitive on\n"),
        Asks::Digest => ("digest", "digest_file_auth", ""),
    };
    text.extend(closed.iter().map(|port| format!("acl closed port {port}\nhttp_access deny closed\n")));
    if asks == Asks::Nothing {
        return text + "http_access allow all\n";
    }
    text + &format!(
        "auth_param {scheme} program /usr/lib/squid/{helper} {folder}/{scheme}\nauth_param {scheme} realm lions\n{more}\
         acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
    )
}
