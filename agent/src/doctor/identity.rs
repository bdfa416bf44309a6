//! Which source answered for serial and MAC address?

use super::Finding;
use crate::{
    config,
    identity::{self, MacSource, SerialSource},
};

pub(super) fn check(settings: &config::Identity) -> Vec<Finding> {
    let identity = match identity::read(settings) {
        Ok(identity) => identity,
        Err(error) => return vec![Finding::bad("identity", error.to_string(), error.next_step())],
    };
    let found = format!("{} from {}", identity.serial, identity.serial_source.word());
    let serial = match identity.serial_source {
        SerialSource::MachineId => Finding::note(
            "serial",
            format!("{found}: neither factory data nor hardware has one this user may read"),
            "write the real one into a file and name it in identity.factory_file",
        ),
        SerialSource::Factory
        | SerialSource::Synology
        | SerialSource::Qnap
        | SerialSource::Dmi
        | SerialSource::DeviceTree => Finding::good("serial", found),
    };
    let found = format!("{} {}", identity.mac, identity.mac_source);
    let mac = match identity.mac_source {
        MacSource::Virtual(_) => Finding::note("MAC", found, "set identity.mac_address"),
        MacSource::Configured | MacSource::Factory | MacSource::DefaultRoute(_) | MacSource::FirstCard(_) => {
            Finding::good("MAC", found)
        }
    };
    vec![serial, mac]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_sources_are_named_and_last_resorts_noted() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4"),
            ("sys/class/net/eth0/address", "02:42:AC:11:00:02"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let settings = config::Identity {
            factory_file: None,
            factory_command: Vec::new(),
            mac_address: None,
            root: root.path().to_owned(),
        };
        let findings = check(&settings);
        assert!(findings[0].found.contains("from machine_id"));
        assert!(findings.iter().all(|finding| matches!(finding.verdict, Verdict::Note { .. })), "{findings:?}");
    }
}
