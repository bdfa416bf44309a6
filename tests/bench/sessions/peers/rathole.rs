//! rathole: one hop, plain, over TLS and over Noise.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::Context as _;
use gatelodge_tests::{ports::free_port, process::Process};
use rcgen::{CertificateParams, KeyPair};

use super::{answers, local, run};
use crate::sessions::tunnel::Tunnel;

#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    Plain,
    Tls,
    Noise,
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Noise];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "rathole",
            Self::Tls => "rathole over TLS",
            Self::Noise => "rathole over Noise",
        }
    }

    /// The transport's part of the server's settings and of the client's.
    fn settings(self, program: &Path, folder: &Path) -> anyhow::Result<(String, String)> {
        match self {
            Self::Plain => Ok(("type = \"tcp\"\n".into(), "type = \"tcp\"\n".into())),
            Self::Tls => {
                let key = KeyPair::generate()?;
                let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
                let file = |name: &str| folder.join(name).display().to_string();
                let (chain, private, both) = (file("tls.pem"), file("tls.key"), file("tls.pfx"));
                std::fs::write(&chain, certificate.pem())?;
                std::fs::write(&private, key.serialize_pem())?;
                let pack =
                    ["pkcs12", "-export", "-in", &chain, "-inkey", &private, "-out", &both, "-passout", "pass:x"];
                run("openssl", &pack)?;
                Ok((
                    format!("type = \"tls\"\n[server.transport.tls]\npkcs12 = \"{both}\"\npkcs12_password = \"x\"\n"),
                    format!(
                        "type = \"tls\"\n[client.transport.tls]\ntrusted_root = \"{chain}\"\nhostname = \"localhost\"\n"
                    ),
                ))
            }
            Self::Noise => {
                let keys = run(&program.display().to_string(), &["--genkey"])?;
                let line = |words: &str| {
                    let after = keys.lines().skip_while(|line| !line.contains(words)).nth(1);
                    after.map(|line| line.trim().to_owned()).with_context(|| format!("no {words} in:\n{keys}"))
                };
                let (private, public) = (line("Private")?, line("Public")?);
                Ok((
                    format!("type = \"noise\"\n[server.transport.noise]\nlocal_private_key = \"{private}\"\n"),
                    format!("type = \"noise\"\n[client.transport.noise]\nremote_public_key = \"{public}\"\n"),
                ))
            }
        }
    }
}

pub(super) async fn open(program: &Path, transport: Transport, load: SocketAddr) -> anyhow::Result<Tunnel> {
    let folder = tempfile::tempdir()?;
    let (meet, at) = (local(free_port()?), local(free_port()?));
    let (server, client) = transport.settings(program, folder.path())?;
    let start = |role: &str, settings: String| {
        let file = folder.path().join(format!("{role}.toml"));
        std::fs::write(&file, settings)?;
        Process::start("rathole", Command::new(program).arg(format!("--{role}")).arg(file))
    };
    let service = "default_token = \"bench\"\n";
    let server = start(
        "server",
        format!(
            "[server]\nbind_addr = \"{meet}\"\n{service}[server.transport]\n{server}[server.services.load]\nbind_addr = \"{at}\"\n"
        ),
    )?;
    let client = start(
        "client",
        format!(
            "[client]\nremote_addr = \"{meet}\"\n{service}[client.transport]\n{client}[client.services.load]\nlocal_addr = \"{load}\"\n"
        ),
    )?;
    let roots = vec![server.id(), client.id()];
    let held = Box::new((server, client, folder));
    answers(Tunnel { name: transport.name(), at, roots, middle: None, _held: held }).await
}
