//! Whole identities, read from captured trees.

use std::path::PathBuf;

use super::*;

/// A folder that looks like the root of a system.
pub(super) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn settings(root: &tempfile::TempDir) -> config::Identity {
    config::Identity {
        factory_file: None,
        factory_command: Vec::new(),
        mac_address: None,
        root: PathBuf::from(root.path()),
    }
}

const CARD: [(&str, &str); 3] = [
    ("sys/class/net/eth0/ifindex", "2"),
    ("sys/class/net/eth0/address", "00:11:22:33:44:55"),
    ("sys/class/net/eth0/device/vendor", "0x8086"),
];

#[test]
fn hardware_is_asked_before_the_machine_id_and_the_factory_before_hardware() {
    let machine_id = ("etc/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4");
    let board = ("proc/device-tree/serial-number", "10000000a1b2c3d4\0");
    let pc = ("sys/class/dmi/id/product_serial", "CZC9142XYZ");
    let expected = [
        (vec![machine_id], SerialSource::MachineId),
        (vec![machine_id, board], SerialSource::DeviceTree),
        (vec![machine_id, board, pc], SerialSource::Dmi),
    ];
    for (files, source) in expected {
        let root = tree(&[&CARD[..], &files].concat());
        let identity = read(&settings(&root)).unwrap();
        assert_eq!(identity.serial_source, source);
        assert_eq!(identity.label(), None);
    }
    let root = tree(&[&CARD[..], &[pc, ("factory.toml", "serial = \"F-1\"\nid_code = \"RR52-AFY2-T1GJ\"\n")]].concat());
    let mut with_factory = settings(&root);
    with_factory.factory_file = Some(root.path().join("factory.toml"));
    let identity = read(&with_factory).unwrap();
    assert_eq!((identity.serial_source, identity.serial.as_str()), (SerialSource::Factory, "F-1"));
    assert_eq!(identity.label().unwrap().to_string(), "GL1:RR52AFY2T1GJ:001122334455");
}

#[test]
fn a_configured_mac_address_wins() {
    let root = tree(&[&CARD[..], &[("sys/class/dmi/id/product_serial", "A1")]].concat());
    let mut configured = settings(&root);
    configured.mac_address = Some("02:42:AC:11:00:02".parse().unwrap());
    assert_eq!(read(&configured).unwrap().mac_source, MacSource::Configured);
    assert_eq!(read(&settings(&root)).unwrap().mac_source, MacSource::FirstCard("eth0".into()));
}

#[test]
fn a_device_that_cannot_say_who_it_is_says_what_to_do() {
    let nameless = read(&settings(&tree(&CARD))).unwrap_err();
    assert!(matches!(nameless, IdentityError::NoSerial) && nameless.next_step().contains("identity.factory_file"));
    let cardless = read(&settings(&tree(&[("sys/class/dmi/id/product_serial", "A1")]))).unwrap_err();
    assert!(matches!(cardless, IdentityError::NoMac) && cardless.next_step().contains("identity.mac_address"));
}
