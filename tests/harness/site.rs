//! A real cloud with a batch of devices in its inventory that prove themselves by the secret of their factory: nobody
//! has to type a code before they speak.

use std::fmt::Write as _;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatelodge_cloud::{config::Config, db::Db};
use gatelodge_proto::{
    Random, enrol,
    identity::{IdCode, MacAddress, SerialNumber},
};

use crate::{
    agent::AgentSetup,
    cloud::{CloudSetup, TestCloud},
    fsck,
    settings::quoted,
};

const PRODUCT: &str = "AX-200";

/// A cloud and its inventory.
#[derive(Debug)]
pub struct Site {
    /// The cloud.
    pub cloud: TestCloud,
    batch: Vec<u8>,
    made: u32,
}

/// A device as its factory made it.
#[derive(Debug, Clone)]
pub struct Unit {
    /// On the label.
    pub id_code: IdCode,
    /// On the label.
    pub mac: MacAddress,
    /// On the label.
    pub serial: SerialNumber,
    /// In the device.
    pub secret: [u8; 32],
}

impl Site {
    /// Starts a cloud with one product and one batch.
    pub async fn open(setup: CloudSetup) -> anyhow::Result<Self> {
        Self::around(TestCloud::start(setup).await?).await
    }

    /// Gives a cloud its product and its batch.
    pub async fn around(cloud: TestCloud) -> anyhow::Result<Self> {
        // Whichever test comes first decides; they all choose alike.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        cloud.run(["product", "add", PRODUCT, "--name", "Alarm server AX 200"]).await?.ok()?;
        cloud.run(["batch", "make", "b1"]).await?.ok()?;
        let file = cloud.data_dir().join("keys/batches/b1.key");
        let key = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let batch = STANDARD.decode(key.trim()).context("the batch key is no base64")?;
        Ok(Self { cloud, batch, made: 0 })
    }

    /// Puts so many more devices into the inventory.
    pub async fn make(&mut self, count: u32) -> anyhow::Result<Vec<Unit>> {
        let mut rows = "id_code,mac,serial,product,purchased_on,proof,batch\n".to_owned();
        let mut units = Vec::new();
        for _ in 0..count {
            self.made += 1;
            let [.., high, middle, low] = self.made.to_be_bytes();
            let mac = MacAddress::from_bytes([2, 0x42, 0xAC, high, middle, low])?;
            let serial: SerialNumber = format!("SN-{:05}", self.made).parse()?;
            let id_code = IdCode::make(&Random::system());
            let secret = enrol::factory_secret(&self.batch, id_code, &serial, mac);
            writeln!(rows, "{id_code},{mac},{serial},{PRODUCT},2026-03-01,factory_secret,b1")?;
            units.push(Unit { id_code, mac, serial, secret });
        }
        let file = self.cloud.config().with_extension("csv");
        std::fs::write(&file, rows).with_context(|| format!("cannot write {}", file.display()))?;
        self.cloud.run(["import", "devices", &file.display().to_string()]).await?.ok()?;
        Ok(units)
    }

    /// Puts one more device into the inventory.
    pub async fn one(&mut self) -> anyhow::Result<Unit> {
        self.make(1).await?.pop().context("one was made")
    }

    /// Fails with every invariant that does not hold in the cloud's database.
    pub async fn whole(&self) -> anyhow::Result<()> {
        let config = Config::load(Some(self.cloud.config()), [])?;
        fsck::held_at(&config.database, Vec::new()).await
    }

    /// The cloud's database, beside the cloud.
    pub async fn db(&self) -> anyhow::Result<Db> {
        let config = Config::load(Some(self.cloud.config()), [])?;
        Ok(Db::open(&config.database).await?)
    }
}

impl Unit {
    /// A real agent for this device.
    pub fn setup(&self) -> anyhow::Result<AgentSetup> {
        let Self { id_code, mac, serial, secret } = self;
        let mut setup = AgentSetup::labelled(&id_code.to_string(), &mac.to_string(), serial.as_str());
        writeln!(setup.factory, "factory_secret = {}", quoted(&hex(secret)))?;
        setup.method = Some("factory_secret");
        Ok(setup)
    }
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
