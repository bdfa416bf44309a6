//! Who sees which devices, and what the vendor does with them.

use gatelodge_cloud::devices::service::{self, ChangeError, Filter};
use gatelodge_proto::{
    enrol::{Answer, Standing, StandingRequest, Wait},
    payload::{Consent, Life},
};

use super::{Key, NETWORK, device, enrolled, manufactured, names};
use crate::cast;

#[tokio::test]
async fn a_device_is_seen_by_its_installer_its_customer_and_the_vendor_alone() {
    for cast in cast::on_each().await.unwrap() {
        let kits = cast.kits();
        let installer = cast.installer("petit@example.com").await.unwrap();
        let stranger = cast.installer("grand@example.com").await.unwrap();
        let (prop, customer) = cast.active(&installer, "villa-rosa", "rosa@example.com", Consent::Ask).await.unwrap();
        let other = cast.device().await.unwrap();
        let mut tx = kits.db.read().await.unwrap();
        let mut seen = async |organisation, filter: Filter| {
            let (devices, _) = service::list(&mut tx, organisation, &filter).await.unwrap();
            devices.into_iter().map(|listed| listed.device.id).collect::<Vec<_>>()
        };
        let of = |member: &gatelodge_cloud::accounts::model::Member| Some(member.organisation_id);
        assert_eq!(seen(of(installer.member()), Filter::default()).await, [prop.id]);
        assert_eq!(seen(of(customer.member()), Filter::default()).await, [prop.id]);
        assert!(seen(of(stranger.member()), Filter::default()).await.is_empty());
        assert_eq!(seen(None, Filter::default()).await.len(), 2);
        let search = |text: &str| Filter { search: Some(text.into()), ..Filter::default() };
        for found in ["ROSA", "villa", &prop.id_code.to_string().to_lowercase()[2..9], &prop.mac.compact()[6..]] {
            assert!(seen(None, search(found)).await.contains(&prop.id), "{found}");
        }
        assert!(seen(None, search("%")).await.is_empty(), "a wildcard is a character");
        assert!(seen(of(stranger.member()), search("villa")).await.is_empty());
        let active = Filter { life: Some(Life::Active), ..Filter::default() };
        assert_eq!(seen(None, active).await, [prop.id]);

        let first = Filter { limit: Some(1), ..Filter::default() };
        let (page, cursor) = service::list(&mut tx, None, &first).await.unwrap();
        let second = Filter { after: cursor, ..first };
        let (rest, end) = service::list(&mut tx, None, &second).await.unwrap();
        let mut both = [page[0].device.id, rest[0].device.id];
        both.sort();
        let mut expected = [prop.id, other.id];
        expected.sort();
        assert_eq!((both, end), (expected, None));

        let view = service::view(&mut tx, Some(stranger.member().organisation_id), prop.id).await.unwrap();
        assert!(view.is_none(), "somebody else's is as good as missing");
    }
}

#[tokio::test]
async fn the_vendor_lets_a_second_key_in_and_the_first_is_over() {
    for cast in cast::on_each().await.unwrap() {
        let kits = cast.kits();
        let vendor = cast.vendor().await.unwrap();
        manufactured(kits, 1, "factory_secret").await;
        let (first, second, third) = (Key::make(), Key::make(), Key::make());
        enrolled(first.enrol_by_secret(kits, &names(1)).await.unwrap());
        for key in [&second, &third] {
            let answer = key.enrol_by_secret(kits, &names(1)).await.unwrap();
            assert!(matches!(answer, Answer::Waiting { wait: Wait::Conflict, .. }), "{answer:?}");
        }
        let mut tx = kits.db.read().await.unwrap();
        let waiting = service::quarantine(&mut tx).await.unwrap();
        drop(tx);
        let of = |key: &Key| {
            let thumbprint = gatelodge_cloud::pki::Csr::parse(&key.csr()).unwrap().thumbprint_hex();
            waiting.iter().find(|(row, _)| row.key_thumbprint == thumbprint).expect("it waits").0.id
        };
        service::refuse(kits, &vendor, of(&third)).await.unwrap();
        assert!(third.enrol_by_secret(kits, &names(1)).await.is_err());
        service::approve(kits, &vendor, of(&second)).await.unwrap();
        assert!(matches!(service::approve(kits, &vendor, of(&second)).await, Err(ChangeError::Missing)));
        enrolled(second.enrol_by_secret(kits, &names(1)).await.unwrap());
        assert!(first.enrol_by_secret(kits, &names(1)).await.is_err());
    }
}

#[tokio::test]
async fn retired_is_for_good_and_revoked_is_until_the_next_key() {
    for cast in cast::on_each().await.unwrap() {
        let kits = cast.kits();
        let vendor = cast.vendor().await.unwrap();
        let id = manufactured(kits, 1, "factory_secret").await.id;
        let key = Key::make();
        enrolled(key.enrol_by_secret(kits, &names(1)).await.unwrap());
        let standing = async |key: &Key| {
            gatelodge_cloud::devices::enrol::standing(kits, NETWORK, &StandingRequest { csr: key.csr() }).await.unwrap()
        };
        service::revoke(kits, &vendor, id).await.unwrap();
        assert_eq!(standing(&key).await, Standing::Unknown);
        let next = Key::make();
        enrolled(next.enrol_by_secret(kits, &names(1)).await.unwrap());
        service::retire(kits, &vendor, id).await.unwrap();
        assert_eq!(standing(&next).await, Standing::Retired);
        let error = Key::make().enrol_by_secret(kits, &names(1)).await.unwrap_err();
        assert!(error.to_string().contains("retired"), "{error}");
        assert!(matches!(service::retire(kits, &vendor, id).await, Err(ChangeError::Refused(_))));
        assert_eq!(device(kits, &names(1)).await.life, Life::Retired);
    }
}
