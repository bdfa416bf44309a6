//! The last resort: a serial derived from the system's machine id. The id itself is confidential (machine-id(5)) and
//! must not be shown, so only an application-specific hash of it leaves the device.

use std::path::Path;

use gatelodge_proto::identity::SerialNumber;
use sha2::{Digest, Sha256};

use super::text_of;

const CONTEXT: &[u8] = b"gatelodge serial number 1\0";

pub(super) fn serial(root: &Path) -> Option<SerialNumber> {
    let id = ["etc/machine-id", "var/lib/dbus/machine-id"].into_iter().find_map(|path| text_of(root, path))?;
    // systemd writes `uninitialized` into images that boot for the first time.
    if id.len() != 32 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let digest = Sha256::digest([CONTEXT, id.to_ascii_lowercase().as_bytes()].concat());
    format!("M-{}", crate::hex::lower(&digest[..8]).to_uppercase()).parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn it_is_stable_and_does_not_show_the_id() {
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        let serial = super::serial(tree(&[("etc/machine-id", &format!("{id}\n"))]).path()).unwrap();
        assert_eq!(serial.as_str(), "M-313C13FAF268E695");
        assert_eq!(super::serial(tree(&[("var/lib/dbus/machine-id", id)]).path()), Some(serial.clone()));
        assert!(!id.to_uppercase().contains(&serial.as_str()[2..]));
    }

    #[test]
    fn an_image_before_its_first_boot_has_none() {
        assert_eq!(super::serial(tree(&[("etc/machine-id", "uninitialized\n")]).path()), None);
    }
}
