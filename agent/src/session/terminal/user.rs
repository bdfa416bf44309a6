//! Whose program runs in a terminal: a user of this system with few rights, never root and never the agent's own.

use std::path::{Path, PathBuf};

use rustix::{
    process::geteuid,
    thread::{CapabilitySet, capabilities},
};

/// There is nobody to run the program as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::session) enum NoUser {
    #[error("this device's settings name no user for terminals; set terminal.user to one with few rights")]
    Unset,
    #[error("the user {0} of this device's terminal.user does not exist; make it, or name another")]
    Unknown(String),
    #[error("terminal.user is {0}, which is root; a terminal is never root's: name a user with few rights")]
    Root(String),
    #[error("terminal.user is {0}, whom the agent runs as: it could read this device's key; name another user")]
    Own(String),
    #[error(
        "the agent may not change to the user {0} of terminal.user; run it as root, or give it CAP_SETUID, CAP_SETGID and \
         CAP_KILL"
    )]
    Rights(String),
    #[error("the user {0} of terminal.user has the shell {1}, which lets nobody in; set terminal.shell")]
    Shell(String, String),
}

/// Somebody of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

/// What the agent itself may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    uid: u32,
    changes: bool,
}

impl Own {
    pub(super) fn of_process() -> Self {
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL;
        let changes = capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
        Self { uid: geteuid().as_raw(), changes }
    }
}

/// The user of that name in the system whose root is `root`, with that shell instead of their own where one is set.
pub(super) fn find(root: &Path, name: Option<&str>, shell: Option<&Path>, own: Own) -> Result<User, NoUser> {
    let name = name.filter(|name| !name.is_empty()).ok_or(NoUser::Unset)?;
    let unknown = || NoUser::Unknown(name.to_owned());
    let passwd = std::fs::read_to_string(root.join("etc/passwd")).map_err(|_| unknown())?;
    let group = std::fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    let mut user = passwd.lines().find_map(|line| entry(line, name)).ok_or_else(unknown)?;
    user.groups = groups(&group, name);
    if user.uid == 0 || user.gid == 0 || user.groups.contains(&0) {
        return Err(NoUser::Root(name.to_owned()));
    }
    if user.uid == own.uid {
        return Err(NoUser::Own(name.to_owned()));
    }
    if !own.changes {
        return Err(NoUser::Rights(name.to_owned()));
    }
    if let Some(shell) = shell {
        shell.clone_into(&mut user.shell);
    } else if user.shell.ends_with("nologin") || user.shell.ends_with("false") {
        return Err(NoUser::Shell(user.name, user.shell.display().to_string()));
    }
    Ok(user)
}

/// A line of passwd(5).
fn entry(line: &str, wanted: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| *name == wanted)?.to_owned();
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    let (home, shell) = (fields.nth(1)?.into(), fields.next()?);
    let shell = if shell.is_empty() { "/bin/sh" } else { shell }.into();
    Some(User { name, uid, gid, groups: Vec::new(), home, shell })
}

/// The groups that list a user, group(5).
fn groups(text: &str, member: &str) -> Vec<u32> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (number, members) = (fields.nth(2)?.parse().ok()?, fields.next()?);
        members.split(',').any(|name| name == member).then_some(number)
    };
    text.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:100::/:/bin/sh\nstaff:x:50:0::/:/bin/sh\n\
        agent:x:991:991::/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
        technician:x:1001:1001:,,,:/home/technician:/bin/bash\nplain:x:1002:1002::/home/plain:\n\
        admin:x:1003:1003::/home/admin:/bin/bash\nhalf:x:12\n";
    const GROUP: &str =
        "root:x:0:admin\ndialout:x:20:someone,technician\nvideo:x:44:technician\nnew:x:45:technicians\n";
    const ROOT: Own = Own { uid: 0, changes: true };

    fn found(name: Option<&str>, shell: Option<&str>, own: Own) -> Result<User, NoUser> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/passwd"), PASSWD).unwrap();
        std::fs::write(root.path().join("etc/group"), GROUP).unwrap();
        find(root.path(), name, shell.map(Path::new), own)
    }

    #[test]
    fn a_user_with_the_groups_they_are_in() {
        let user = found(Some("technician"), None, ROOT).unwrap();
        assert_eq!((user.uid, user.gid, &user.groups[..]), (1001, 1001, &[20, 44][..]));
        assert_eq!((user.home, user.shell), ("/home/technician".into(), "/bin/bash".into()));
        assert_eq!(found(Some("plain"), None, ROOT).unwrap().shell, Path::new("/bin/sh"));
        assert_eq!(found(Some("nobody"), Some("/bin/sh"), ROOT).unwrap().shell, Path::new("/bin/sh"));
    }

    #[test]
    fn whoever_a_terminal_must_not_be_is_refused_with_what_to_do() {
        let refused = |name, own| found(name, None, own).unwrap_err();
        assert_eq!(refused(None, ROOT), NoUser::Unset);
        assert_eq!(refused(Some(""), ROOT), NoUser::Unset);
        for unknown in ["nobody2", "half", "x"] {
            assert_eq!(refused(Some(unknown), ROOT), NoUser::Unknown(unknown.into()));
        }
        // By any name, by its group alone, and by a group beside it.
        for root in ["root", "toor", "staff", "admin"] {
            assert_eq!(refused(Some(root), ROOT), NoUser::Root(root.into()));
        }
        assert_eq!(refused(Some("technician"), Own { uid: 1001, changes: true }), NoUser::Own("technician".into()));
        assert_eq!(refused(Some("technician"), Own { uid: 991, changes: false }), NoUser::Rights("technician".into()));
        assert_eq!(refused(Some("nobody"), ROOT), NoUser::Shell("nobody".into(), "/usr/sbin/nologin".into()));
    }
}
