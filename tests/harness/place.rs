//! Network namespaces: computers of their own on one machine, joined by wires. Programs, sockets and questions about
//! routes are put into one; dropping it takes everything of it away.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

use crate::{cloud::TestCloud, skip};

/// A place with a network of its own.
#[derive(Debug)]
pub struct Place {
    name: String,
    namespace: File,
    etc: PathBuf,
    run: tempfile::TempDir,
    tasks: Mutex<JoinSet<()>>,
}

/// Whether this machine can have places, and a TUN interface in them; noted when it cannot.
pub fn can_be_had(without: &str) -> anyhow::Result<bool> {
    let tools = ["ip", "nft"].map(|tool| skip::find_or_skip(tool, without).map(|found| found.is_some()));
    for found in tools {
        if !found? {
            return Ok(false);
        }
    }
    let lacks = if !rustix::process::geteuid().is_root() {
        "only root makes network namespaces"
    } else if !Path::new("/dev/net/tun").exists() {
        "/dev/net/tun is not there"
    } else {
        return Ok(true);
    };
    skip::skip(&format!("{lacks}: {without} did not run"))?;
    Ok(false)
}

impl Place {
    /// An empty place, with loopback alone.
    pub fn make(what: &str) -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("gl{}-{}-{what}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let namespace = File::open(Path::new("/run/netns").join(&name)).context("the namespace has no file")?;
        let etc = Path::new("/etc/netns").join(&name);
        let run = tempfile::tempdir().context("cannot make a folder")?;
        let place = Self { name, namespace, etc, run, tasks: Mutex::default() };
        std::fs::create_dir_all(&place.etc).context("cannot make a folder of settings")?;
        std::fs::write(place.hosts(), "127.0.0.1 localhost\n::1 localhost").context("cannot write the hosts")?;
        std::fs::write(place.etc.join("resolv.conf"), "nameserver 192.0.2.53\n")
            .context("cannot write the resolver")?;
        place.ip(&["link", "set", "lo", "up"])?;
        Ok(place)
    }

    /// Its hosts file.
    pub fn hosts(&self) -> PathBuf {
        self.etc.join("hosts")
    }

    /// A wire to another place, with an address at each end.
    pub fn join(&self, own: (&str, &str), other: &Self, theirs: (&str, &str)) -> anyhow::Result<()> {
        ip(&[
            "link",
            "add",
            own.0,
            "netns",
            &self.name,
            "type",
            "veth",
            "peer",
            "name",
            theirs.0,
            "netns",
            &other.name,
        ])?;
        for (place, (interface, address)) in [(self, own), (other, theirs)] {
            place.ip(&["address", "add", address, "dev", interface])?;
            place.ip(&["link", "set", interface, "up"])?;
        }
        Ok(())
    }

    /// `ip` in the place; gives what it prints.
    pub fn ip(&self, arguments: &[&str]) -> anyhow::Result<String> {
        ip(&[&["-netns", &self.name], arguments].concat())
    }

    /// Runs a tool in the place to its end; gives what it prints.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(skip::find(tool).with_context(|| format!("{tool} is not installed"))?);
        let output = self.command(command.args(arguments)).output().with_context(|| format!("cannot start {tool}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{tool} ended with {}: {said}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A command as it runs in the place, with its own `/etc/hosts` and `/run/gatelodge`. It keeps its process id.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name, "sh", "-c"]);
        inside.arg("mkdir -p /run/gatelodge && mount --bind \"$0\" /run/gatelodge && exec \"$@\"");
        inside.arg(self.run.path()).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Does something on a thread that is in the place.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        within(&self.namespace, act)
    }

    /// A TCP port in the place.
    pub fn listen(&self, at: SocketAddr) -> anyhow::Result<TcpListener> {
        let listener = self.inside(|| std::net::TcpListener::bind(at)).with_context(|| format!("cannot open {at}"))?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_std(listener)?)
    }

    /// A UDP port in the place.
    pub fn datagrams(&self, at: SocketAddr) -> anyhow::Result<UdpSocket> {
        let socket = self.inside(|| std::net::UdpSocket::bind(at)).with_context(|| format!("cannot open {at}"))?;
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::from_std(socket)?)
    }

    /// Lets the place reach a cloud outside, at the cloud's own addresses and by nothing else.
    pub fn reaches(&self, cloud: &TestCloud) -> anyhow::Result<()> {
        let addresses = cloud.addresses()?;
        for at in [Some(addresses.https), addresses.loopback, addresses.mqtt].into_iter().flatten() {
            let listener = self.listen(at)?;
            self.hold(carry(listener, move || TcpStream::connect(at)));
        }
        Ok(())
    }

    /// Passes every connection at that address of the place on to another one in it.
    pub fn passes(&self, at: SocketAddr, to: SocketAddr) -> anyhow::Result<()> {
        let listener = self.listen(at)?;
        let namespace = Arc::new(self.namespace.try_clone()?);
        self.hold(carry(listener, move || dial(namespace.clone(), to)));
        Ok(())
    }

    /// Shows a loopback port of the place to the tests, under the same number.
    pub async fn shows(&self, port: u16) -> anyhow::Result<()> {
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind(at).await.with_context(|| format!("cannot open {at}"))?;
        let namespace = Arc::new(self.namespace.try_clone()?);
        self.hold(carry(listener, move || dial(namespace.clone(), at)));
        Ok(())
    }

    fn hold(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// Everything that a session may change here and must leave as it was.
    pub fn looks(&self) -> anyhow::Result<String> {
        let mut looks = String::new();
        for question in
            [&["-4", "route", "show", "table", "all"][..], &["-6", "route", "show", "table", "all"], &["-o", "address"]]
        {
            looks += &self.ip(question)?;
        }
        for file in ["hosts", "resolv.conf"] {
            looks += &std::fs::read_to_string(self.etc.join(file))?;
        }
        Ok(looks)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is in it goes with it; there is nobody to tell of an error.
        let _ = std::fs::remove_dir_all(&self.etc);
        let _ = ip(&["netns", "delete", &self.name]);
    }
}

/// On a thread of its own: this one stays where it is.
fn within<T: Send>(namespace: &File, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            act()
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread in the place panicked")))
    })
}

async fn dial(namespace: Arc<File>, to: SocketAddr) -> io::Result<TcpStream> {
    let connect = move || within(&namespace, || std::net::TcpStream::connect(to));
    let stream = tokio::task::spawn_blocking(connect).await.map_err(io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Carries every connection to where `dial` leads.
async fn carry<F: Future<Output = io::Result<TcpStream>> + Send + 'static>(
    listener: TcpListener,
    dial: impl Fn() -> F,
) {
    let mut wires = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let far = dial();
        wires.spawn(async move {
            if let Ok(mut far) = far.await {
                // A broken wire is its callers' affair.
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
        while wires.try_join_next().is_some() {}
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("ip").args(arguments).output().context("cannot start ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {} ended with {}: {said}", arguments.join(" "), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
