//! The allow-list, as the endpoint asks it at every connection.

use std::time::Duration;

use gatelodge_cloud::{
    change,
    devices::presence::AllowList,
    kits::Kits,
    mqtt::{Doorkeeper as _, Incoming, Intake as _},
};
use gatelodge_proto::{
    CertificateSerial, DeviceId,
    payload::{self, Certificate, Placed, Position, Renew},
    topics::{Topic, Up},
};
use uuid::Uuid;

use super::{Key, device, each, enrolled, import, manufactured, names, registrar, row, serial_of};

async fn renewed(kits: &Kits, id: DeviceId, by: &CertificateSerial) -> CertificateSerial {
    let position = Position { boot: 1, boot_id: Uuid::from_u128(1), seq: 1 };
    let renewal = Incoming::Message {
        topic: Topic::Up(id, Up::Renew).to_string(),
        payload: payload::encode(&Placed { position, body: Renew { csr: Key::make().csr() } }).into(),
        correlation: Some(position.into()),
        certificate: Some(by.clone()),
    };
    let answers = registrar(kits).take(&[renewal]).await.unwrap();
    let answer = answers.iter().find(|answer| answer.topic.ends_with("/down/certificate")).unwrap();
    serial_of(&payload::decode::<Certificate>(&answer.payload).unwrap().chain)
}

async fn set(kits: &Kits, statement: &'static str) {
    let mut tx = kits.db.write().await.unwrap();
    change!(&mut tx, c => sqlx::query(statement).execute(c)).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn it_admits_a_current_certificate_to_its_own_device_and_nothing_else() {
    for test in each().await {
        let kits = &test.kits;
        let id = manufactured(kits, 1, "factory_secret").await.id;
        import(kits, &[row(&names(2), "factory_secret")]).await;
        let other = device(kits, &names(2)).await.id;
        let first = serial_of(&enrolled(Key::make().enrol_by_secret(kits, &names(1)).await.unwrap()).chain);
        let allow_list = AllowList::new(kits.clone());
        let unknown = CertificateSerial::from_bytes(&[1, 2, 3]);
        let mut told = Vec::new();
        let mut ask = async |case, device, serial: &CertificateSerial, expected| {
            told.push((case, allow_list.admits(device, serial).await == expected));
        };

        ask("its own", id, &first, true).await;
        ask("another device's", other, &first, false).await;
        ask("nobody's", id, &unknown, false).await;
        set(kits, "UPDATE device SET epoch = epoch + 1").await;
        ask("an earlier owner's", id, &first, false).await;
        set(kits, "UPDATE device SET epoch = epoch - 1").await;
        set(kits, "UPDATE device SET life = 'retired'").await;
        ask("a retired device's", id, &first, false).await;
        set(kits, "UPDATE device SET life = 'enrolled'").await;

        test.pass(Duration::from_secs(60));
        let second = renewed(kits, id, &first).await;
        ask("the old one while the new one was never used", id, &first, true).await;
        ask("the renewed one", id, &second, true).await;
        ask("the old one after that", id, &first, false).await;
        set(kits, "UPDATE certificate SET state = 'revoked'").await;
        ask("one taken back", id, &second, false).await;
        set(kits, "UPDATE certificate SET state = 'current'").await;
        test.pass(Duration::from_secs(91 * 86_400));
        ask("one past its end", id, &second, false).await;

        let wrong: Vec<_> = told.iter().filter(|(_, right)| !right).map(|(case, _)| *case).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
