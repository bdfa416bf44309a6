//! A pseudo terminal and the program in it, as bytes. Starts the program by way of `gatelodge-agent in-terminal`
//! ([`super::become_user`]), which gives up every right first.

use std::{
    io,
    os::fd::OwnedFd,
    path::Path,
    process::{ExitStatus, Stdio},
};

use gatelodge_proto::session::inner_frame::{Command as Line, Size, TerminalType};
use rustix::{
    fs::{OFlags, fcntl_setfl},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    io::unix::AsyncFd,
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use super::user::User;

/// What runs in a terminal.
pub(super) struct Program<'a> {
    pub(super) user: &'a User,
    /// What the settings always run; a shell when empty.
    pub(super) always: &'a [String],
    /// What the technician asks for.
    pub(super) line: Option<&'a Line>,
    pub(super) term: &'a TerminalType,
    pub(super) size: Size,
}

/// The agent's end.
pub(super) struct Pty(AsyncFd<OwnedFd>);

/// The way a program finds others; what an interactive user of a small system has.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a program in a terminal of its own; `agent` is the program that this one is.
pub(super) fn start(agent: &Path, program: &Program<'_>) -> io::Result<(Pty, Child)> {
    // Whoever started the agent may have it ignore a hang-up (nohup(1)), and programs would inherit that: nothing would
    // end them when this process is killed. What is handled here is as usual in what is started.
    drop(signal(SignalKind::hangup())?);
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    tcsetwinsize(&master, winsize(program.size))?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
    let User { name, uid, gid, groups, home, shell } = program.user;
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    let mut command = Command::new(agent);
    command
        .arg0("gatelodge-agent")
        .args(["in-terminal", "--uid", &uid.to_string(), "--gid", &gid.to_string()])
        .args(["--groups", &groups.join(",")])
        .arg("--home")
        .arg(home);
    match (program.always, program.line) {
        ([first, rest @ ..], _) => command.arg("--").arg(first).args(rest),
        ([], Some(line)) => command.arg("--").arg(shell).args(["-c", line.as_str()]),
        ([], None) => command.args(["--login", "--"]).arg(shell),
    };
    let child = command
        .env_clear()
        .envs([("TERM", program.term.as_str()), ("USER", name), ("LOGNAME", name), ("PATH", PATH), ("LANG", "C.UTF-8")])
        .env("HOME", home)
        .env("SHELL", shell)
        .stdin(Stdio::from(slave.try_clone()?))
        .stdout(Stdio::from(slave.try_clone()?))
        .stderr(Stdio::from(slave))
        .kill_on_drop(true)
        .spawn()?;
    #[expect(deprecated, reason = "its successor is unsafe, and this descriptor is owned and closed by nobody else")]
    let master = AsyncFd::new(master)?;
    Ok((Pty(master), child))
}

const fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Pty {
    /// What was written in it, at most as much as fits; nothing when there will be no more.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|master| Ok(rustix::io::read(master.get_ref(), &mut *buffer)?));
            match read {
                // Nobody has the other end any more: an error on Linux, an end elsewhere.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Ok(0),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(done) => return done,
                Err(_would_block) => {}
            }
        }
    }

    /// Types bytes, as fast as they are taken.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|master| Ok(rustix::io::write(master.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => bytes = &bytes[written?..],
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// Gives the window another size; the program is told by SIGWINCH.
    pub(super) fn resize(&self, size: Size) -> io::Result<()> {
        Ok(tcsetwinsize(self.0.get_ref(), winsize(size))?)
    }
}

/// How a program ended, in the words of the wire.
pub(super) fn exit(status: ExitStatus) -> gatelodge_proto::session::terminal::Exit {
    use std::os::unix::process::ExitStatusExt as _;

    use gatelodge_proto::session::terminal::Exit;
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(byte(code)),
        (None, Some(signal)) => Exit::Signal(byte(signal)),
        (None, None) => Exit::Code(u8::MAX),
    }
}
