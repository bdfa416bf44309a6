//! Serial and model of a QNAP system: its own `get_hwsn` prints the serial, `/etc/default_config/BOOT.conf` and the
//! platform file name the model.

use std::{path::Path, process::Command};

use gatelodge_proto::identity::SerialNumber;

use super::{serial_from, text_of};

pub(super) fn serial(root: &Path) -> Option<SerialNumber> {
    let tool = root.join("sbin/get_hwsn");
    if !tool.is_file() {
        return None;
    }
    let output = Command::new(tool).output().ok().filter(|output| output.status.success())?;
    serial_from(String::from_utf8_lossy(&output.stdout).trim())
}

pub(super) fn model(root: &Path) -> Option<String> {
    let text = text_of(root, "etc/platform.conf")?;
    let name = text.lines().find_map(|line| line.trim().strip_prefix("MODEL_NAME")?.trim().strip_prefix('='))?;
    Some(format!("QNAP {}", name.trim()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use crate::identity::tests::tree;

    #[test]
    fn its_own_tool_is_asked() {
        let root = tree(&[
            ("sbin/get_hwsn", "#!/bin/sh\necho Q194I12345\n"),
            ("etc/platform.conf", "[MISC]\nMODEL_NAME = TS-453D\n"),
        ]);
        let tool = root.path().join("sbin/get_hwsn");
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(super::serial(root.path()).unwrap().as_str(), "Q194I12345");
        assert_eq!(super::model(root.path()).unwrap(), "QNAP TS-453D");
    }

    #[test]
    fn a_tool_that_fails_is_no_answer() {
        let root = tree(&[("sbin/get_hwsn", "#!/bin/sh\necho broken; exit 1\n")]);
        let tool = root.path().join("sbin/get_hwsn");
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(super::serial(root.path()), None);
    }
}
