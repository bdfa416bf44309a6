//! OpenVPN over TCP, one hop, point to point with certificates, its data channel AES-128-GCM: the far end stands in a
//! network namespace of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use anyhow::Context as _;
use gatelodge_tests::process::Process;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::{LOAD_PORT, UP_WITHIN, answers, run};
use crate::sessions::tunnel::Tunnel;

const SPACE: &str = "gatelodge-bench";
const OUTER: [&str; 2] = ["198.18.77.1", "198.18.77.2"];
const INNER: [&str; 2] = ["198.18.78.1", "198.18.78.2"];
const PORT: &str = "11940";

/// The namespace; dropping it removes it with the wire into it.
struct Space;

impl Space {
    fn make() -> anyhow::Result<Self> {
        let _ = run("ip", &["netns", "delete", SPACE]);
        let _ = run("ip", &["link", "delete", "gl-bench0"]);
        run("ip", &["netns", "add", SPACE])?;
        let space = Self;
        run("ip", &["link", "add", "gl-bench0", "type", "veth", "peer", "name", "gl-bench1", "netns", SPACE])?;
        run("ip", &["address", "add", &format!("{}/30", OUTER[0]), "dev", "gl-bench0"])?;
        run("ip", &["link", "set", "gl-bench0", "up"])?;
        run("ip", &["-n", SPACE, "address", "add", &format!("{}/30", OUTER[1]), "dev", "gl-bench1"])?;
        run("ip", &["-n", SPACE, "link", "set", "gl-bench1", "up"])?;
        run("ip", &["-n", SPACE, "link", "set", "lo", "up"])?;
        Ok(space)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "delete", SPACE]);
    }
}

pub(super) async fn open(program: &Path) -> anyhow::Result<Tunnel> {
    let folder = tempfile::tempdir()?;
    certificates(folder.path())?;
    let space = Space::make()?;
    let program = program.display().to_string();
    let start = |end: usize, role: &[&str]| {
        let mut command = if end == 1 {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", SPACE, &program]);
            command
        } else {
            Command::new(&program)
        };
        let file = |name: &str| folder.path().join(name).display().to_string();
        command.args(["--dev", "tun", "--ifconfig", INNER[end], INNER[1 - end], "--port", PORT, "--tcp-nodelay"]);
        command.args(["--data-ciphers", "AES-128-GCM", "--verb", "1", "--ca", &file("ca.pem")]);
        command.args(["--cert", &file(&format!("{end}.pem")), "--key", &file(&format!("{end}.key"))]);
        Process::start("openvpn", command.args(role))
    };
    let server = start(1, &["--proto", "tcp-server", "--tls-server", "--dh", "none", "--local", OUTER[1]])?;
    let client = start(0, &["--proto", "tcp-client", "--tls-client", "--remote", OUTER[1], "--connect-retry", "1"])?;
    let bench = std::env::current_exe().context("where is this program")?;
    let mut serve = Command::new("ip");
    serve.args(["netns", "exec", SPACE]).arg(bench).args(["load", &format!("0.0.0.0:{LOAD_PORT}")]);
    let load = Process::start("load", &mut serve)?;
    let at = SocketAddr::new(INNER[1].parse::<Ipv4Addr>()?.into(), LOAD_PORT);
    let roots = vec![server.id(), client.id()];
    let tunnel = Tunnel {
        name: "OpenVPN over TCP",
        at,
        roots,
        middle: None,
        _held: Box::new((client, server, load, space, folder)),
    };
    answers(tunnel).await.with_context(|| format!("OpenVPN is not up within {UP_WITHIN:?}"))
}

/// A CA and a certificate for each end.
fn certificates(folder: &Path) -> anyhow::Result<()> {
    let key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    ca.distinguished_name.push(DnType::CommonName, "bench CA");
    std::fs::write(folder.join("ca.pem"), ca.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(ca, key);
    for end in 0..2 {
        let key = KeyPair::generate()?;
        let mut certificate = CertificateParams::default();
        certificate.distinguished_name.push(DnType::CommonName, format!("end {end}"));
        certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        certificate.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        std::fs::write(folder.join(format!("{end}.pem")), certificate.signed_by(&key, &issuer)?.pem())?;
        std::fs::write(folder.join(format!("{end}.key")), key.serialize_pem())?;
    }
    Ok(())
}
