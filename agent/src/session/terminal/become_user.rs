//! `gatelodge-agent in-terminal`: between fork and program, in a process of one thread. Makes the terminal its own, gives
//! up every right, makes sure of that, and becomes the program. Runs nothing as anybody else.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{Gid, Mode, Uid, fchown},
    process::{
        Signal, getegid, geteuid, getgid, getuid, ioctl_tiocsctty, set_parent_process_death_signal, setsid, umask,
    },
    stdio::stdin,
    thread::{
        CapabilitySet, capabilities, clear_ambient_capability_set, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

/// Who to become, and what to run then.
#[derive(Debug, clap::Args)]
pub struct InTerminal {
    #[arg(long)]
    uid: u32,
    #[arg(long)]
    gid: u32,
    #[arg(long, value_delimiter = ',')]
    groups: Vec<String>,
    #[arg(long)]
    home: PathBuf,
    /// The program is told that somebody logs in
    #[arg(long)]
    login: bool,
    #[arg(last = true, required = true)]
    program: Vec<std::ffi::OsString>,
}

/// The program does not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// A right could not be given up, or the terminal not be had.
    #[error("the terminal cannot be prepared: {0}")]
    Prepare(#[from] io::Error),
    /// Something would have been left over.
    #[error("the rights of the agent are not given up: {0}")]
    Rights(&'static str),
    /// It is not there, or may not be run.
    #[error("{program} does not run: {source}")]
    Program {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl InTerminal {
    /// Does not come back when all is well.
    pub fn run(self) -> Result<std::convert::Infallible, NotRun> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<_> = self.groups.iter().filter_map(|group| group.parse().ok()).map(Gid::from_raw).collect();
        if uid.is_root() || gid.is_root() || groups.iter().any(|group| group.is_root()) {
            return Err(NotRun::Rights("a terminal is never root's"));
        }
        let rustix = |error: rustix::io::Errno| NotRun::Prepare(error.into());
        setsid().map_err(rustix)?;
        ioctl_tiocsctty(stdin()).map_err(rustix)?;
        // By its name, too, for programs that open it again.
        fchown(stdin(), Some(uid), None).map_err(rustix)?;
        umask(Mode::from_raw_mode(0o022));
        clear_ambient_capability_set().map_err(rustix)?;
        set_thread_groups(&groups).map_err(rustix)?;
        set_thread_res_gid(gid, gid, gid).map_err(rustix)?;
        set_thread_res_uid(uid, uid, uid).map_err(rustix)?;
        // No set-uid program gives a right back: not even sudo makes this terminal root's.
        set_no_new_privs(true).map_err(rustix)?;
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(rustix)?;
        given_up(uid, gid)?;
        let home: &Path = if self.home.is_dir() { &self.home } else { Path::new("/") };
        let (program, arguments) = self.program.split_first().ok_or(NotRun::Rights("there is no program"))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(home);
        if self.login {
            let name = Path::new(program).file_name().unwrap_or(program);
            let mut login = std::ffi::OsString::from("-");
            login.push(name);
            command.arg0(login);
        }
        let source = command.exec();
        Err(NotRun::Program { program: program.to_string_lossy().into_owned(), source })
    }
}

fn given_up(uid: Uid, gid: Gid) -> Result<(), NotRun> {
    if [getuid(), geteuid()] != [uid; 2] || [getgid(), getegid()] != [gid; 2] {
        return Err(NotRun::Rights("user or group is another"));
    }
    if set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err(NotRun::Rights("it can become root again"));
    }
    let left = capabilities(None).map_err(|error| NotRun::Prepare(error.into()))?;
    // What is only permitted goes with the program: nothing of it is ambient or inheritable.
    if left.inheritable != CapabilitySet::empty() {
        return Err(NotRun::Rights("a capability would be inherited"));
    }
    Ok(())
}
