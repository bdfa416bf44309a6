//! Serial and model from the firmware tables of PCs and servers (SMBIOS type 1, via /sys/class/dmi/id). The kernel
//! shows serial numbers to root only; without root this source stays silent.

use std::path::Path;

use gatelodge_proto::identity::SerialNumber;

use super::{serial_from, text_of};

/// What board makers leave in the field when they forget to fill it.
const PLACEHOLDERS: &[&str] = &[
    "to be filled by o.e.m.",
    "default string",
    "system serial number",
    "system product name",
    "not specified",
    "not applicable",
    "none",
    "n/a",
    "unknown",
    "o.e.m.",
    "chassis serial number",
    "base board serial number",
    "123456789",
    "1234567890",
    "0123456789",
];

pub(super) fn serial(root: &Path) -> Option<SerialNumber> {
    ["product_serial", "board_serial", "chassis_serial"].into_iter().find_map(|name| serial_from(&field(root, name)?))
}

pub(super) fn model(root: &Path) -> Option<String> {
    let product = field(root, "product_name")?;
    Some(match field(root, "sys_vendor") {
        Some(vendor) if !product.starts_with(&vendor) => format!("{vendor} {product}"),
        _ => product,
    })
}

fn field(root: &Path, name: &str) -> Option<String> {
    let text = text_of(root, &format!("sys/class/dmi/id/{name}"))?;
    let folded = text.to_ascii_lowercase();
    let empty = PLACEHOLDERS.contains(&folded.as_str()) || folded.chars().all(|c| matches!(c, '0' | 'x' | '-' | ' '));
    (!empty).then_some(text)
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn the_first_real_serial_wins_over_placeholders() {
        let root = tree(&[
            ("sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n"),
            ("sys/class/dmi/id/board_serial", "00000000\n"),
            ("sys/class/dmi/id/chassis_serial", "CZC 9142 XYZ \n"),
            ("sys/class/dmi/id/sys_vendor", "HP\n"),
            ("sys/class/dmi/id/product_name", "MicroServer Gen8\n"),
        ]);
        assert_eq!(super::serial(root.path()).unwrap().as_str(), "CZC-9142-XYZ");
        assert_eq!(super::model(root.path()).unwrap(), "HP MicroServer Gen8");
    }

    #[test]
    fn no_tables_no_answer() {
        assert_eq!(super::serial(tree(&[]).path()), None);
    }
}
