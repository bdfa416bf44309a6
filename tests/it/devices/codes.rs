//! On-site codes and label secrets.

use std::time::Duration;

use gatelodge_cloud::{
    devices::service::{self, CodeCheck},
    kits::Kits,
};
use gatelodge_proto::{
    DeviceId, Random,
    enrol::{Answer, Wait},
    identity::OnSiteCode,
    payload::Life,
};

use super::{Key, device, each, enrolled, manufactured, names};

pub(super) fn code(seed: u64) -> OnSiteCode {
    OnSiteCode::make(&Random::seeded(seed))
}

pub(super) async fn check(kits: &Kits, device: DeviceId, code: OnSiteCode) -> CodeCheck {
    let mut tx = kits.db.write().await.unwrap();
    let check = service::verify_on_site_code(&mut tx, kits, device, code).await.unwrap();
    tx.commit().await.unwrap();
    check
}

pub(super) fn waits(answer: &Answer, for_what: Wait) -> bool {
    matches!(answer, Answer::Waiting { wait, .. } if *wait == for_what)
}

#[tokio::test]
async fn the_right_code_enrols_the_key_that_shows_it_and_is_used_up() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let key = Key::make();
        assert!(waits(&key.show(kits, &names(1), code(1)).await.unwrap(), Wait::OnSiteCode));
        assert_eq!(device(kits, &names(1)).await.life, Life::Manufactured);
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::Right);
        assert_eq!(device(kits, &names(1)).await.life, Life::Enrolled);
        enrolled(key.show(kits, &names(1), code(1)).await.unwrap());
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::NoneShown);
    }
}

#[tokio::test]
async fn five_wrong_tries_lock_until_the_device_shows_a_new_code() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let key = Key::make();
        key.show(kits, &names(1), code(1)).await.unwrap();
        for left in (1..5).rev() {
            assert_eq!(check(kits, id, code(99)).await, CodeCheck::Wrong { left });
        }
        assert_eq!(check(kits, id, code(99)).await, CodeCheck::Locked);
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::NoneShown, "the right code is void too");
        assert!(waits(&key.show(kits, &names(1), code(1)).await.unwrap(), Wait::NewOnSiteCode));
        assert!(waits(&key.show(kits, &names(1), code(2)).await.unwrap(), Wait::OnSiteCode));
        assert_eq!(check(kits, id, code(99)).await, CodeCheck::Wrong { left: 4 });
        assert_eq!(check(kits, id, code(2)).await, CodeCheck::Right);
    }
}

#[tokio::test]
async fn a_code_is_good_for_a_quarter_of_an_hour_and_for_its_own_device() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let other = manufactured(kits, 2, "on_site_code").await.id;
        let (key, key_of_other) = (Key::make(), Key::make());
        key.show(kits, &names(1), code(1)).await.unwrap();
        key_of_other.show(kits, &names(2), code(2)).await.unwrap();
        assert_eq!(check(kits, other, code(1)).await, CodeCheck::Wrong { left: 4 });
        test.pass(OnSiteCode::VALID + Duration::from_secs(1));
        assert_eq!(check(kits, id, code(1)).await, CodeCheck::NoneShown);
        assert!(waits(&key.show(kits, &names(1), code(1)).await.unwrap(), Wait::NewOnSiteCode));
    }
}

#[tokio::test]
async fn the_label_secret_is_that_of_this_unit() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "on_site_code").await.id;
        let batch = kits.pki.batch("b1").unwrap().unwrap();
        let secret = |n: u8| batch.label_secret(names(n).id_code, &names(n).serial, names(n).mac);
        let mut tx = kits.db.read().await.unwrap();
        assert!(service::verify_label_secret(&mut tx, kits, id, &secret(1)).await.unwrap());
        assert!(!service::verify_label_secret(&mut tx, kits, id, &secret(2)).await.unwrap());
    }
}
