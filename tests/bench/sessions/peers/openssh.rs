//! OpenSSH end to end, as blind to the middle as a session is: the device opens its own sshd at the middle (`-R`), the
//! technician jumps through the middle to it (`-J`) and forwards a port (`-L`).

use std::{fmt::Write as _, net::SocketAddr, path::Path, process::Command};

use anyhow::Context as _;
use gatelodge_tests::{ports::free_port, process::Process};

use super::{answers, local, run};
use crate::sessions::tunnel::Tunnel;

pub(super) async fn open(program: &Path, load: SocketAddr) -> anyhow::Result<Tunnel> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (host_key, user_key) = (file("host"), file("user"));
    for key in [&host_key, &user_key] {
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key])?;
    }
    // sshd asks for it when it runs as root.
    let _ = std::fs::create_dir_all("/run/sshd");
    let (middle, device, reverse, at) = (free_port()?, free_port()?, free_port()?, local(free_port()?));
    let server = |port: u16| {
        let name = format!("sshd-{port}");
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {user_key}.pub\nStrictModes no\n\
             PidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        );
        std::fs::write(file(&name), settings)?;
        Process::start("sshd", Command::new(program).args(["-D", "-e", "-f", &file(&name)]))
    };
    let servers = [server(middle)?, server(device)?];
    let user = run("id", &["-un"])?;
    let mut settings = String::new();
    for (name, port, jump) in [("middle", middle, ""), ("device", reverse, "ProxyJump middle\n")] {
        write!(
            settings,
            "Host {name}\nHostName 127.0.0.1\nPort {port}\nUser {}\nIdentityFile {user_key}\nIdentitiesOnly yes\n\
             StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\nExitOnForwardFailure yes\n{jump}",
            user.trim()
        )
        .context("a text cannot be written to")?;
    }
    std::fs::write(file("config"), settings)?;
    let client = |arguments: &[&str]| {
        Process::start("ssh", Command::new("ssh").args(["-N", "-F", &file("config")]).args(arguments))
    };
    gatelodge_tests::wait::wait_until("sshd listens", super::UP_WITHIN, async || {
        Ok(tokio::net::TcpStream::connect(local(middle)).await.ok())
    })
    .await?;
    let offering = client(&["-R", &format!("127.0.0.1:{reverse}:127.0.0.1:{device}"), "middle"])?;
    gatelodge_tests::wait::wait_until("the device is offered", super::UP_WITHIN, async || {
        Ok(tokio::net::TcpStream::connect(local(reverse)).await.ok())
    })
    .await?;
    let reaching = client(&["-L", &format!("{at}:{load}"), "device"])?;
    let roots = servers.iter().chain([&offering, &reaching]).map(Process::id).collect();
    let middle = Some(servers[0].id());
    let held = Box::new((servers, offering, reaching, folder));
    answers(Tunnel { name: "OpenSSH", at, roots, middle, _held: held }).await
}
