//! The factory data: a TOML or JSON file, or what a command of the vendor's firmware prints.

use std::{
    fmt, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use gatelodge_proto::identity::{IdCode, MacAddress, SerialNumber};
use serde::Deserialize;

use crate::config;

/// What the factory gave the device.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Factory {
    pub(super) id_code: Option<IdCode>,
    pub(super) serial: Option<SerialNumber>,
    pub(super) mac: Option<MacAddress>,
    #[serde(rename = "factory_secret")]
    pub(super) secret: Option<FactorySecret>,
}

/// The device's own secret from the factory: 32 bytes, 64 hexadecimal digits in the file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FactorySecret([u8; 32]);

/// The text is no factory secret.
#[derive(Debug, thiserror::Error)]
#[error("factory_secret must have 64 hexadecimal digits")]
pub struct InvalidFactorySecret;

impl FactorySecret {
    /// The bytes, for answering a nonce.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for FactorySecret {
    type Error = InvalidFactorySecret;
    fn try_from(text: String) -> Result<Self, InvalidFactorySecret> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(InvalidFactorySecret);
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| InvalidFactorySecret)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for FactorySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorySecret(hidden)")
    }
}

/// The factory data are named in the settings and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// No such file, or not for us.
    #[error("the factory data in {path} cannot be read: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Whoever reads the secret can be this device.
    #[error("{path} can be read by all users of this machine (mode {mode:o}), and it holds the factory secret")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The command did not start or did not succeed.
    #[error("the command for the factory data, {program}, failed: {reason}")]
    Command {
        /// Which program.
        program: String,
        /// Why.
        reason: String,
    },
    /// What came is not factory data.
    #[error("the factory data from {from} are wrong: {reason}")]
    Content {
        /// File or program.
        from: String,
        /// What is wrong.
        reason: String,
    },
}

/// The factory data, if the settings name any.
pub(super) fn read(settings: &config::Identity) -> Result<Option<Factory>, FactoryError> {
    if let Some(path) = &settings.factory_file {
        let text = std::fs::read_to_string(path).map_err(|source| FactoryError::File { path: path.clone(), source })?;
        let factory = parse(&text, &path.display().to_string())?;
        if factory.secret.is_some() {
            closed_to_others(path)?;
        }
        return Ok(Some(factory));
    }
    let Some((program, arguments)) = settings.factory_command.split_first() else { return Ok(None) };
    let failed = |reason: String| FactoryError::Command { program: program.clone(), reason };
    let output =
        Command::new(Path::new(program)).args(arguments).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    parse(&String::from_utf8_lossy(&output.stdout), program).map(Some)
}

/// A group may read it: that is how a vendor's other service and the agent share one file.
fn closed_to_others(path: &Path) -> Result<(), FactoryError> {
    let metadata = std::fs::metadata(path).map_err(|source| FactoryError::File { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(FactoryError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

fn parse(text: &str, from: &str) -> Result<Factory, FactoryError> {
    let wrong = |reason: String| FactoryError::Content { from: from.to_owned(), reason };
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))
    } else {
        toml_edit::de::from_str(text).map_err(|error| wrong(error.message().trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "id_code = \"RR52-AFY2-T1GJ\"\nserial = \"AX-100/7\"\nmac = \"02:42:ac:11:00:02\"\n";

    fn settings(file: Option<PathBuf>, command: &[&str]) -> config::Identity {
        config::Identity {
            factory_file: file,
            factory_command: command.iter().map(|part| (*part).to_owned()).collect(),
            mac_address: None,
            root: "/".into(),
        }
    }

    #[test]
    fn toml_json_and_a_command_say_the_same() {
        let secret = "00ff".repeat(16);
        let toml = parse(&format!("{TOML}factory_secret = \"{secret}\"\n"), "x").unwrap();
        let json = format!(
            "{{\"id_code\":\"rr52afy2t1gj\",\"serial\":\"AX-100/7\",\"mac\":\"0242AC110002\",\"factory_secret\":\"{secret}\"}}"
        );
        let printed = read(&settings(None, &["printf", "%s", &json])).unwrap().unwrap();
        for other in [parse(&json, "x").unwrap(), printed] {
            assert_eq!((toml.id_code, &toml.serial, toml.mac), (other.id_code, &other.serial, other.mac));
            assert_eq!(toml.secret, other.secret);
        }
        assert_eq!(toml.secret.unwrap().bytes()[1], 0xff);
    }

    #[test]
    fn the_secret_stays_out_of_debug_output() {
        let factory = parse(&format!("factory_secret = \"{}\"", "ab".repeat(32)), "x").unwrap();
        assert!(!format!("{factory:?}").contains("abab"));
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("factory.toml");
        let read_with = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read(&settings(Some(path.clone()), &[]))
        };
        let secret = format!("factory_secret = \"{}\"\n", "ab".repeat(32));
        let refused = read_with(&secret, 0o644).unwrap_err();
        assert!(refused.to_string().contains("can be read by all users"), "{refused}");
        assert!(read_with(&secret, 0o640).is_ok());
        assert!(read_with(TOML, 0o644).is_ok(), "names alone are no secret");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |text: &str| parse(text, "factory.toml").unwrap_err().to_string();
        assert!(message("id_code = \"RR52-AFY2-T1GK\"").contains("check character"));
        assert!(message("seriel = \"A\"").contains("seriel"));
        assert!(message("factory_secret = \"12\"").contains("64 hexadecimal digits"));
        let failed = read(&settings(None, &["false"])).unwrap_err().to_string();
        assert!(failed.contains("false, failed"), "{failed}");
        let missing = read(&settings(Some("/nowhere/factory.toml".into()), &[])).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/factory.toml cannot be read"), "{missing}");
        assert!(read(&settings(None, &[])).unwrap().is_none());
    }
}
