//! Serial and model of a Synology system, which its kernel shows under /proc/sys/kernel.

use std::path::Path;

use gatelodge_proto::identity::SerialNumber;

use super::{serial_from, text_of};

pub(super) fn serial(root: &Path) -> Option<SerialNumber> {
    serial_from(&text_of(root, "proc/sys/kernel/syno_serial")?)
}

pub(super) fn model(root: &Path) -> Option<String> {
    let version = text_of(root, "proc/sys/kernel/syno_hw_version")?;
    Some(format!("Synology {version}"))
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn the_kernel_knows_both() {
        let root = tree(&[
            ("proc/sys/kernel/syno_serial", "20B0PDN1234567\n"),
            ("proc/sys/kernel/syno_hw_version", "DS920+\n"),
        ]);
        assert_eq!(super::serial(root.path()).unwrap().as_str(), "20B0PDN1234567");
        assert_eq!(super::model(root.path()).unwrap(), "Synology DS920+");
    }

    #[test]
    fn another_system_is_none() {
        assert_eq!(super::serial(tree(&[]).path()), None);
    }
}
