//! The fleet's folder: identities that follow from a seed, the inventory file, a state folder per device, the ledger.

use std::{
    fmt::Write as _,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use gatelodge_agent::identity::{FactorySecret, Identity, MacSource, SerialSource};
use gatelodge_proto::{
    Random, enrol,
    identity::{IdCode, MacAddress},
    payload::{Interface, Protocol, Service},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{arguments::Inventory, output};

const RECORD: &str = "fleet.json";
const INVENTORY: &str = "inventory.csv";
const HEADER: &str = "id_code,mac,serial,product,purchased_on,proof,batch\n";

/// What a later run must know of this one.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    seed: u64,
    /// PEM of the CA that signs the cloud's certificates, once devices have enrolled.
    ca_file: Option<PathBuf>,
}

/// A fleet on disk.
#[derive(Debug)]
pub(crate) struct Fleet {
    folder: PathBuf,
    record: Record,
}

impl Fleet {
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(RECORD);
        let text = fs::read(&file).with_context(|| {
            format!("cannot read {}; `gatelodge-sim inventory` makes up the devices first", file.display())
        })?;
        let record = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))?;
        Ok(Self { folder: folder.to_owned(), record })
    }

    /// Which CA the devices trust from now on.
    pub(crate) fn trust(&mut self, ca_file: Option<&Path>) -> anyhow::Result<()> {
        self.record.ca_file = ca_file.map(fs::canonicalize).transpose().context("cannot find the CA file")?;
        self.keep()
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.record.ca_file.as_deref()
    }

    pub(crate) fn state_dir(&self, number: usize) -> PathBuf {
        self.folder.join(format!("devices/{number:05}"))
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.join("ledger.jsonl")
    }

    /// Who device number `number` is.
    pub(crate) fn identity(&self, number: usize) -> Identity {
        let random = stream(self.record.seed, number, "identity");
        Identity {
            id_code: Some(IdCode::make(&random)),
            serial: serial(self.record.seed, number),
            serial_source: SerialSource::Factory,
            mac: mac(self.record.seed, number),
            mac_source: MacSource::Factory,
            model: "Simulated device".into(),
            firmware: "simulator".into(),
            factory_secret: None,
        }
    }

    fn keep(&self) -> anyhow::Result<()> {
        let file = self.folder.join(RECORD);
        let text = serde_json::to_vec(&self.record)?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Makes up identities and writes them for the cloud's import.
pub(crate) fn write_inventory(folder: &Path, plan: &Inventory, as_json: bool) -> anyhow::Result<()> {
    let seed = seed(plan.seed);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let fleet = Fleet { folder: folder.to_owned(), record: Record { seed, ca_file: None } };
    fleet.keep()?;
    let mut rows = HEADER.to_owned();
    for number in plan.share.range() {
        let Identity { id_code, mac, serial, .. } = fleet.identity(number);
        let id_code = id_code.context("a simulated device has an ID code")?;
        writeln!(rows, "{id_code},{mac},{serial},{},,factory_secret,{}", plan.product, plan.batch)?;
    }
    let file = folder.join(INVENTORY);
    fs::write(&file, rows).with_context(|| format!("cannot write {}", file.display()))?;
    let (devices, file) = (plan.share.len(), file.display().to_string());
    let told = json!({ "inventory": file, "devices": devices, "seed": seed });
    output::outcome(as_json, &told, &format!("{devices} devices are in {file}."));
    Ok(())
}

/// The seed that was given, or one that is drawn; told either way, so that a run can be repeated.
pub(crate) fn seed(given: Option<u64>) -> u64 {
    let seed = given.unwrap_or_else(|| u64::from_be_bytes(Random::system().bytes()));
    output::progress(&format!("seed {seed}"));
    seed
}

/// A reproducible stream of its own for one purpose of one device.
pub(crate) fn stream(seed: u64, number: usize, purpose: &str) -> Random {
    let digest = Sha256::digest(format!("{seed}/{number}/{purpose}"));
    Random::seeded(digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
}

/// With the factory secret that follows from the batch's key.
pub(crate) fn with_secret(mut identity: Identity, batch_key: &[u8]) -> anyhow::Result<Identity> {
    let id_code = identity.id_code.context("a simulated device has an ID code")?;
    let secret = enrol::factory_secret(batch_key, id_code, &identity.serial, identity.mac);
    let hex = secret.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    identity.factory_secret = Some(FactorySecret::try_from(hex)?);
    Ok(identity)
}

/// What a report carries besides the identity: a card with an address that moves, and two services.
pub(crate) fn surroundings(identity: &Identity, random: &Random) -> (Vec<Interface>, Vec<Service>) {
    let [host] = random.bytes::<1>();
    let address = |last| IpAddr::from([192, 168, 1, last]);
    let card = Interface { name: "eth0".into(), mac: Some(identity.mac), addresses: vec![address(host)] };
    let service = |name: &str, port| {
        name.parse().ok().map(|name| Service { name, protocol: Protocol::Tcp, host: address(20).to_string(), port })
    };
    (vec![card], [service("panel-web", 80), service("panel-config", 3061)].into_iter().flatten().collect())
}

#[expect(clippy::expect_used, reason = "letters and digits make a serial")]
fn serial(seed: u64, number: usize) -> gatelodge_proto::identity::SerialNumber {
    format!("SIM-{seed:X}-{number:05}").parse().expect("a serial")
}

/// Counted from a place that the seed chooses, so that no two devices of a fleet share one.
#[expect(clippy::expect_used, reason = "a locally administered unicast address is one")]
fn mac(seed: u64, number: usize) -> MacAddress {
    let first = u32::from_be_bytes(stream(seed, 0, "first address").bytes());
    let [a, b, c, d] = first.wrapping_add(u32::try_from(number).unwrap_or(u32::MAX)).to_be_bytes();
    MacAddress::from_bytes([0x02, 0x5e, a, b, c, d]).expect("an address")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn fleet(seed: u64) -> Fleet {
        Fleet { folder: PathBuf::new(), record: Record { seed, ca_file: None } }
    }

    #[test]
    fn a_seed_makes_the_same_devices_again_and_no_two_alike() {
        let made: Vec<Identity> = (0..2_000).map(|number| fleet(7).identity(number)).collect();
        assert_eq!(made[3], fleet(7).identity(3));
        assert_ne!(made[3], fleet(8).identity(3));
        assert_eq!(made.iter().map(|one| one.mac).collect::<HashSet<_>>().len(), made.len());
        assert_eq!(made.iter().map(|one| one.id_code).collect::<HashSet<_>>().len(), made.len());
    }
}
