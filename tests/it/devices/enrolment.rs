//! Keys that ask for a certificate.

use std::time::Duration;

use gatelodge_cloud::devices::{
    enrol::{self, EnrolError},
    service,
};
use gatelodge_proto::{
    Random,
    enrol::{Answer, Proof, Standing, StandingRequest, Wait},
    identity::OnSiteCode,
    payload::Life,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::{Key, NETWORK, audited, catalogue, device, each, enrolled, manufactured, names, serial_of};

fn wait(answer: &Answer) -> Wait {
    match answer {
        Answer::Waiting { wait, .. } => *wait,
        Answer::Enrolled(_) => panic!("it has a certificate"),
    }
}

#[tokio::test]
async fn the_factory_secret_gives_a_certificate_in_the_devices_own_name() {
    for test in each().await {
        let kits = &test.kits;
        let device_row = manufactured(kits, 1, "factory_secret").await;
        let key = Key::make();
        let proof = key.secret_proof(kits, &names(1)).await;
        let mut request = key.request(&names(1), proof);
        request.csr = key.csr_as("svc-registrar-evil");
        let credentials = enrolled(enrol::enrol(kits, NETWORK, &request).await.unwrap());
        assert_eq!(credentials.device, device_row.id);
        let der = CertificateDer::from_pem_slice(credentials.chain.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&der).into_owned();
        assert!(text.contains(&device_row.id.to_string()) && !text.contains("evil"));
        assert_eq!(device(kits, &names(1)).await.life, Life::Enrolled);
        assert_eq!(audited(kits, "device_enrolled").await, 1);

        // The same key again is polling: the same certificate, whatever the proof is worth by now.
        let again = enrolled(enrol::enrol(kits, NETWORK, &request).await.unwrap());
        assert_eq!(again, credentials);
        assert_eq!(audited(kits, "device_enrolled").await, 1);
    }
}

#[tokio::test]
async fn wrong_secrets_used_nonces_and_foreign_keys_are_refused() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let (key, other) = (Key::make(), Key::make());
        let nonce = enrol::nonce(kits, NETWORK).await.unwrap().nonce;
        let ask = async |key: &Key, proof: Proof| enrol::enrol(kits, NETWORK, &key.request(&names(1), proof)).await;

        let wrong = Proof::FactorySecret { nonce: nonce.clone(), answer: "00".repeat(32) };
        assert!(matches!(ask(&key, wrong).await, Err(EnrolError::WrongProof)));
        let used = key.answer(kits, &names(1), nonce);
        assert!(matches!(ask(&key, used).await, Err(EnrolError::Nonce)), "a nonce is good once");
        let invented = key.answer(kits, &names(1), "ab".repeat(16));
        assert!(matches!(ask(&key, invented).await, Err(EnrolError::Nonce)));

        let nonce = enrol::nonce(kits, NETWORK).await.unwrap().nonce;
        let stolen = key.answer(kits, &names(1), nonce);
        assert!(matches!(ask(&other, stolen).await, Err(EnrolError::WrongProof)), "an answer is good for one key");

        let late = key.secret_proof(kits, &names(1)).await;
        test.pass(Duration::from_secs(121));
        assert!(matches!(ask(&key, late).await, Err(EnrolError::Nonce)), "a nonce is good for two minutes");

        let weaker = Proof::OnSiteCode { code: OnSiteCode::make(&Random::seeded(1)) };
        assert!(matches!(ask(&key, weaker).await, Err(EnrolError::OtherProof(_))));
        assert_eq!(device(kits, &names(1)).await.life, Life::Manufactured);
    }
}

#[tokio::test]
async fn unknown_and_contradicting_hardware_waits_for_the_vendor() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let key = Key::make();
        assert_eq!(wait(&key.enrol_by_secret(kits, &names(7)).await.unwrap()), Wait::UnknownHardware);
        let mut mixed = names(1);
        mixed.mac = names(9).mac;
        assert_eq!(wait(&Key::make().enrol_by_secret(kits, &mixed).await.unwrap()), Wait::UnknownHardware);

        let mut tx = kits.db.read().await.unwrap();
        let mut reasons: Vec<_> =
            service::quarantine(&mut tx).await.unwrap().into_iter().filter_map(|(row, _)| row.reason).collect();
        reasons.sort();
        assert_eq!(reasons, ["contradiction", "unknown"]);
        drop(tx);

        // Imported meanwhile: the key that waits gets in with its next question.
        super::import(kits, &[super::row(&names(7), "factory_secret")]).await;
        enrolled(key.enrol_by_secret(kits, &names(7)).await.unwrap());
    }
}

#[tokio::test]
async fn a_second_key_is_evidence_and_never_knocks_out_the_live_one() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let (first, second) = (Key::make(), Key::make());
        let credentials = enrolled(first.enrol_by_secret(kits, &names(1)).await.unwrap());
        for _ in 0..3 {
            assert_eq!(wait(&second.enrol_by_secret(kits, &names(1)).await.unwrap()), Wait::Conflict);
        }
        assert_eq!(audited(kits, "device_conflict").await, 1);
        let standing = enrol::standing(kits, NETWORK, &StandingRequest { csr: first.csr() }).await.unwrap();
        assert_eq!(standing, Standing::Current { chain: credentials.chain });
        let standing = enrol::standing(kits, NETWORK, &StandingRequest { csr: second.csr() }).await.unwrap();
        assert_eq!(standing, Standing::Unknown);
    }
}

#[tokio::test]
async fn a_released_device_needs_a_new_key_and_comes_back_in_the_next_epoch() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let key = Key::make();
        enrolled(key.enrol_by_secret(kits, &names(1)).await.unwrap());
        let mut tx = kits.db.write().await.unwrap();
        service::register(&mut tx, id).await.unwrap();
        service::activate(&mut tx, id).await.unwrap();
        service::release(&mut tx, kits.now(), &kits.random, id).await.unwrap();
        tx.commit().await.unwrap();

        let standing =
            async |key: &Key| enrol::standing(kits, NETWORK, &StandingRequest { csr: key.csr() }).await.unwrap();
        assert_eq!(standing(&key).await, Standing::Released);
        assert!(matches!(key.enrol_by_secret(kits, &names(1)).await, Err(EnrolError::KeyOver)));
        let next = Key::make();
        let credentials = enrolled(next.enrol_by_secret(kits, &names(1)).await.unwrap());
        assert_eq!((credentials.device, credentials.epoch), (id, 2));
        assert_eq!(device(kits, &names(1)).await.life, Life::Enrolled);
        assert!(matches!(standing(&next).await, Standing::Current { .. }));
    }
}

#[tokio::test]
async fn an_expired_key_is_renewed_within_its_grace_and_not_after() {
    for test in each().await {
        let kits = &test.kits;
        manufactured(kits, 1, "factory_secret").await;
        let key = Key::make();
        let first = enrolled(key.enrol_by_secret(kits, &names(1)).await.unwrap());
        test.pass(Duration::from_secs(100 * 86_400));
        let renewed = enrolled(key.enrol_by_secret(kits, &names(1)).await.unwrap());
        assert_ne!(serial_of(&first.chain), serial_of(&renewed.chain));
        assert_eq!(first.device, renewed.device);
        test.pass(Duration::from_secs(181 * 86_400));
        assert!(matches!(key.enrol_by_secret(kits, &names(1)).await, Err(EnrolError::KeyOver)));
        // Nobody else holds the identity by then, so a new key is no conflict.
        enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap());
    }
}

#[tokio::test]
async fn a_request_that_is_no_csr_is_refused_in_a_sentence() {
    for test in each().await {
        catalogue(&test.kits).await;
        let mut request =
            Key::make().request(&names(1), Proof::OnSiteCode { code: OnSiteCode::make(&Random::seeded(1)) });
        request.csr = "hello".into();
        let error = enrol::enrol(&test.kits, NETWORK, &request).await.unwrap_err();
        assert!(error.to_string().contains("PKCS #10"), "{error}");
    }
}
