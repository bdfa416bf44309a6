//! The model as the hardware names itself; the kernel's architecture when it does not.

use std::path::Path;

use super::{device_tree, dmi, qnap, synology};

pub(super) fn read(root: &Path) -> String {
    synology::model(root)
        .or_else(|| qnap::model(root))
        .or_else(|| device_tree::model(root))
        .or_else(|| dmi::model(root))
        .map_or_else(|| format!("Linux {}", std::env::consts::ARCH), |model| shown(&model))
}

/// Without control characters and short enough for a table.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn the_vendor_s_own_name_comes_first() {
        let root =
            tree(&[("proc/sys/kernel/syno_hw_version", "DS920+"), ("sys/class/dmi/id/product_name", "Geminilake")]);
        assert_eq!(super::read(root.path()), "Synology DS920+");
        assert!(super::read(tree(&[]).path()).starts_with("Linux "));
        assert_eq!(super::read(tree(&[("sys/class/dmi/id/product_name", "A\u{7}X\n")]).path()), "AX");
    }
}
