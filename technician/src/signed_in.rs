//! The sign-in that this computer keeps: `sign-in.json` in `$XDG_CONFIG_HOME/gatelodge`, readable by its user alone.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use gatelodge_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    output::{Exit, Failure},
    sentences,
    way::Way,
};

/// Who is signed in here, and where.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The portal.
    pub cloud: Url,
    /// Its CA, when its certificate is not a public one.
    pub ca_file: Option<PathBuf>,
    /// The way there, when it is not the environment's to say.
    #[serde(default, rename = "proxy", skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Bearer token.
    pub token: String,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Who.
    pub email: String,
    /// Their name.
    pub name: String,
    /// For which organisation.
    pub organisation: String,
}

impl SignIn {
    /// From the portal's answer.
    pub fn of(answer: api::SignedIn, cloud: Url, ca_file: Option<PathBuf>, way: Option<Way>) -> Self {
        let email = answer.email.as_str().to_owned();
        let (token, expires_at) = (answer.token, answer.expires_at);
        Self { cloud, ca_file, way, token, expires_at, email, name: answer.name, organisation: answer.organisation }
    }
}

/// Where the sign-in is kept.
#[derive(Debug, Clone)]
pub struct Keep {
    folder: PathBuf,
}

impl Keep {
    /// In the user's configuration folder (XDG Base Directory Specification).
    pub fn of_user(xdg_config_home: Option<OsString>, home: Option<OsString>) -> Option<Self> {
        let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let base = xdg_config_home.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".config")))?;
        Some(Self { folder: base.join("gatelodge") })
    }

    /// The sign-in of whoever called sudo, when this user has none and they have.
    #[must_use]
    pub fn or_of_who_called_sudo(self) -> Self {
        let theirs = std::env::var("SUDO_UID").ok().and_then(|user| {
            let home = home_of(&fs::read_to_string("/etc/passwd").ok()?, &user)?;
            Self::of_user(None, Some(home.into()))
        });
        match theirs {
            Some(theirs) if !self.file().exists() && theirs.file().exists() => theirs,
            Some(_) | None => self,
        }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("sign-in.json")
    }

    /// The sign-in, when there is one. A file that other users can read is refused: the token in it is no secret any more.
    pub fn load(&self) -> Result<Option<SignIn>, Failure> {
        let file = self.file();
        let mode = match fs::metadata(&file) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&file, &error)),
        };
        if mode & 0o077 != 0 {
            return Err(Failure::new(
                Exit::NotSignedIn,
                sentences::exposed(mode),
                format!("chmod 600 {}, then gatelodge sign-in again", file.display()),
            )
            .about("file", file.display().to_string()));
        }
        let text = fs::read_to_string(&file).map_err(|error| unusable(&file, &error))?;
        serde_json::from_str(&text).map(Some).map_err(|error| unusable(&file, &error))
    }

    /// Keeps a sign-in in place of the one before.
    pub fn save(&self, sign_in: &SignIn) -> Result<(), Failure> {
        self.write(sign_in).map_err(|error| unusable(&self.file(), &error))
    }

    fn write(&self, sign_in: &SignIn) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let part = self.folder.join(".sign-in.json.part");
        let _ = fs::remove_file(&part);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec_pretty(sign_in)?)?;
        file.sync_all()?;
        fs::rename(&part, self.file())
    }

    /// Forgets the sign-in. False when there was none.
    pub fn forget(&self) -> Result<bool, Failure> {
        match fs::remove_file(self.file()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unusable(&self.file(), &error)),
        }
    }
}

/// The home folder of a user id, in the form of passwd(5).
fn home_of(passwd: &str, user: &str) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.into_iter().find(|fields| fields.get(2) == Some(&user))?.get(5).map(|home| (*home).to_owned())
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the sign-in on this computer cannot be used: {error}"),
        sentences::NEXT_SIGN_IN_AGAIN,
    )
    .about("file", file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        SignIn {
            cloud: "https://portal.example".parse().unwrap(),
            ca_file: None,
            way: None,
            token: "t0ken".into(),
            expires_at: Timestamp::from_seconds(1_800_000_000),
            email: "marc@petit.example".into(),
            name: "Marc Petit".into(),
            organisation: "Petit Alarmes".into(),
        }
    }

    fn keep() -> (tempfile::TempDir, Keep) {
        let home = tempfile::tempdir().unwrap();
        let keep = Keep::of_user(None, Some(home.path().into())).unwrap();
        (home, keep)
    }

    #[test]
    fn a_sign_in_is_kept_for_its_user_alone_and_forgotten() {
        let (_home, keep) = keep();
        assert!(keep.load().unwrap().is_none());
        for _ in 0..2 {
            keep.save(&sign_in()).unwrap();
        }
        assert!(keep.load().unwrap() == Some(sign_in()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&keep.folder), mode(&keep.file())), (0o700, 0o600));
        assert!(keep.forget().unwrap());
        assert!(!keep.forget().unwrap());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let (_home, keep) = keep();
        keep.save(&sign_in()).unwrap();
        fs::set_permissions(keep.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let failure = keep.load().err().unwrap();
        assert_eq!(failure.exit, Exit::NotSignedIn);
        assert!(failure.what.contains("mode 644"), "{}", failure.what);
    }

    #[test]
    fn sudo_finds_the_home_of_who_called_it() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nmarc:x:1000:1000:Marc,,,:/home/marc:/bin/zsh\n";
        assert_eq!(home_of(passwd, "1000").as_deref(), Some("/home/marc"));
        assert_eq!(home_of(passwd, "1001"), None);
    }

    #[test]
    fn the_folder_follows_the_base_directories() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            Keep::of_user(xdg.map(Into::into), home.map(Into::into)).map(|keep| keep.folder)
        };
        assert_eq!(folder(Some("/x"), Some("/h")), Some("/x/gatelodge".into()));
        assert_eq!(folder(Some("relative"), Some("/h")), Some("/h/.config/gatelodge".into()));
        assert_eq!(folder(None, None), None);
    }
}
