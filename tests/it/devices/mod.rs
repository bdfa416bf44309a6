//! Devices: inventory, enrolment, codes and messages, on both databases.

mod admission;
mod codes;
mod doubled;
mod enrolment;
mod flood;
mod import;
mod lists;
mod messages;
mod permutations;
mod takeover;

use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use gatelodge_cloud::{
    audit::Actor,
    db::{DbError, Tx},
    devices::{
        enrol::{self, EnrolError},
        ingest::{Registrar, SessionEvents},
        model::{Device, Names},
        service::{self, Import, ProductInput},
    },
    kits::Kits,
    pki::Csr,
};
use gatelodge_proto::{
    CertificateSerial, DeviceId, Random, Timestamp,
    enrol::{Answer, Credentials, Proof, Request, factory_answer},
    identity::{IdCode, OnSiteCode},
    payload::{EndReason, Event, Report, SessionOrder},
};
use gatelodge_tests::kits::TestKits;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

pub(crate) const HEADER: &str = "id_code,mac,serial,product,purchased_on,proof,batch";
pub(crate) const NETWORK: &str = "192.0.2.7";

/// Nobody listens to sessions here.
pub(crate) struct Deaf;

impl SessionEvents for Deaf {
    fn happened<'a>(
        &'a self,
        _: &'a mut Tx,
        _: &'a Kits,
        _: DeviceId,
        _: &'a Event,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unopened<'a>(
        &'a self,
        _: &'a mut Tx,
        _: &'a Kits,
        _: DeviceId,
        _: &'a SessionOrder,
        _: EndReason,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(crate) fn registrar(kits: &Kits) -> Registrar {
    Registrar::new(kits.clone(), Arc::new(Deaf))
}

/// A catalogue with one product, and a batch.
pub(crate) async fn catalogue(kits: &Kits) {
    let product = ProductInput {
        reference: "AX-200".into(),
        name: "Alarm panel AX".into(),
        kind: "panel".into(),
        warranty_months: 24,
        label_help: "On the back.".into(),
    };
    service::add_product(kits, product).await.unwrap();
    kits.pki.make_batch("b1").unwrap();
}

/// Unit number `n`.
pub(crate) fn names(n: u8) -> Names {
    Names {
        id_code: IdCode::make(&Random::seeded(1_000 + u64::from(n))),
        mac: format!("02:42:AC:11:00:{n:02X}").parse().unwrap(),
        serial: format!("SN-{n:04}").parse().unwrap(),
    }
}

/// What the first device says of itself.
pub(crate) fn report(firmware: &str) -> Report {
    let names = names(1);
    Report {
        id_code: Some(names.id_code),
        mac: names.mac,
        serial: names.serial,
        serial_source: "factory".into(),
        model: "AX".into(),
        firmware: firmware.into(),
        agent_version: "0.1.0".into(),
        observed_at: Timestamp::from_seconds(1_800_000_000),
        epoch: 1,
        interfaces: Vec::new(),
        services: Vec::new(),
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        profiles: Vec::new(),
    }
}

pub(crate) fn row(names: &Names, proof: &str) -> String {
    format!("{},{},{},AX-200,2026-05-03,{proof},b1", names.id_code, names.mac, names.serial)
}

pub(crate) async fn import(kits: &Kits, rows: &[String]) -> Import {
    let file = format!("{HEADER}\n{}\n", rows.join("\n"));
    service::import(kits, Actor::Operator("test".into()), file.as_bytes(), false).await.unwrap()
}

/// One device in the inventory.
pub(crate) async fn manufactured(kits: &Kits, n: u8, proof: &str) -> Device {
    catalogue(kits).await;
    import(kits, &[row(&names(n), proof)]).await;
    device(kits, &names(n)).await
}

pub(crate) async fn device(kits: &Kits, names: &Names) -> Device {
    let mut tx = kits.db.read().await.unwrap();
    service::by_label(&mut tx, names.id_code, names.mac).await.unwrap().expect("the device is in the inventory")
}

/// A key as an agent makes it, asking under a common name of its own choice.
pub(crate) struct Key(pub(crate) KeyPair);

impl Key {
    pub(crate) fn make() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    pub(crate) fn csr(&self) -> String {
        self.csr_as("a name of its own choice")
    }

    pub(crate) fn csr_as(&self, common_name: &str) -> String {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serialize_request(&self.0).unwrap().pem().unwrap()
    }

    pub(crate) fn request(&self, names: &Names, proof: Proof) -> Request {
        Request {
            csr: self.csr(),
            id_code: Some(names.id_code),
            mac: names.mac,
            serial: names.serial.clone(),
            model: "AX".into(),
            agent_version: "0.1.0".into(),
            proof,
        }
    }

    /// The right answer to a fresh nonce.
    pub(crate) async fn secret_proof(&self, kits: &Kits, names: &Names) -> Proof {
        let nonce = enrol::nonce(kits, NETWORK).await.unwrap().nonce;
        self.answer(kits, names, nonce)
    }

    pub(crate) fn answer(&self, kits: &Kits, names: &Names, nonce: String) -> Proof {
        let batch = kits.pki.batch("b1").unwrap().unwrap();
        let secret = batch.factory_secret(names.id_code, &names.serial, names.mac);
        let answer = factory_answer(&secret, &nonce, &Csr::parse(&self.csr()).unwrap().thumbprint());
        Proof::FactorySecret { nonce, answer: hex(&answer) }
    }

    pub(crate) async fn enrol_by_secret(&self, kits: &Kits, names: &Names) -> Result<Answer, EnrolError> {
        let proof = self.secret_proof(kits, names).await;
        enrol::enrol(kits, NETWORK, &self.request(names, proof)).await
    }

    pub(crate) async fn show(&self, kits: &Kits, names: &Names, code: OnSiteCode) -> Result<Answer, EnrolError> {
        enrol::enrol(kits, NETWORK, &self.request(names, Proof::OnSiteCode { code })).await
    }
}

pub(crate) fn enrolled(answer: Answer) -> Credentials {
    match answer {
        Answer::Enrolled(credentials) => *credentials,
        Answer::Waiting { wait, .. } => panic!("it waits: {wait:?}"),
    }
}

/// The serial of a chain's first certificate.
pub(crate) fn serial_of(chain: &str) -> CertificateSerial {
    let der = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    CertificateSerial::from_bytes(&der[15..31])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) async fn each() -> Vec<TestKits> {
    TestKits::on_each().await.unwrap()
}

/// How often something was written into the audit trail.
pub(crate) async fn audited(kits: &Kits, what: &str) -> i64 {
    let mut tx = kits.db.read().await.unwrap();
    gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM audit_row WHERE what = $1")
        .bind(what.to_owned())
        .fetch_one(c))
    .unwrap()
}
