//! Serial and model from the device tree of a board (Devicetree Specification section 2.3), NUL-terminated.

use std::path::Path;

use gatelodge_proto::identity::SerialNumber;

use super::{serial_from, text_of};

pub(super) fn serial(root: &Path) -> Option<SerialNumber> {
    let text = node(root, "serial-number")?;
    // Boards that were never programmed answer with zeros.
    if text.chars().all(|c| c == '0') { None } else { serial_from(&text) }
}

pub(super) fn model(root: &Path) -> Option<String> {
    node(root, "model")
}

/// The link under /proc is the documented name; a hardened service may see only what it points to.
fn node(root: &Path, name: &str) -> Option<String> {
    text_of(root, &format!("proc/device-tree/{name}"))
        .or_else(|| text_of(root, &format!("sys/firmware/devicetree/base/{name}")))
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn the_terminating_nul_is_not_part_of_it() {
        let root = tree(&[
            ("proc/device-tree/serial-number", "10000000a1b2c3d4\0"),
            ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ]);
        assert_eq!(super::serial(root.path()).unwrap().as_str(), "10000000a1b2c3d4");
        assert_eq!(super::model(root.path()).unwrap(), "Raspberry Pi 4 Model B Rev 1.4");
    }

    #[test]
    fn the_kernel_s_own_place_is_read_where_proc_is_hidden() {
        let root = tree(&[("sys/firmware/devicetree/base/serial-number", "10000000a1b2c3d4\0")]);
        assert_eq!(super::serial(root.path()).unwrap().as_str(), "10000000a1b2c3d4");
    }

    #[test]
    fn a_board_that_was_never_programmed_has_none() {
        assert_eq!(super::serial(tree(&[("proc/device-tree/serial-number", "0000000000000000\0")]).path()), None);
    }
}
