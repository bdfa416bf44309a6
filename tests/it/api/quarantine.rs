//! The vendor's quarantine as calls: the same list and decisions as its page.

use gatelodge_cloud::accounts::model::{OrganisationKind, Role};
use gatelodge_proto::{
    EnrolmentId,
    enrol::{Answer, Wait},
};
use http::StatusCode;
use serde_json::Value;

use crate::{
    cast,
    devices::{Key, manufactured, names},
    doors::Knock,
};

const LIST: &str = "/api/v1/quarantine";

fn call(verb: &str, id: &str) -> String {
    format!("{LIST}/{id}/{verb}")
}

#[tokio::test]
async fn the_vendor_reads_why_each_key_waits_and_decides() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        manufactured(kits, 1, "factory_secret").await;
        let (first, second, unknown) = (Key::make(), Key::make(), Key::make());
        first.enrol_by_secret(kits, &names(1)).await?;
        let conflict = second.enrol_by_secret(kits, &names(1)).await?;
        assert!(matches!(conflict, Answer::Waiting { wait: Wait::Conflict, .. }), "{conflict:?}");
        unknown.enrol_by_secret(kits, &names(7)).await?;

        let vendor = cast.somebody(OrganisationKind::Vendor, Role::Administrator, "vera@example.com").await?;
        let vera = Knock::by(&cast, &vendor).await?;
        let listed = vera.at("GET", LIST, "", "", "").await?;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
        let rows: Vec<Value> = serde_json::from_str(&listed.body)?;
        let row = |why: &str| rows.iter().find(|row| row["why"] == why).expect("it is listed");
        let (waiting, stray) = (row("conflict"), row("unknown_hardware"));
        assert_eq!((rows.len(), &waiting["may_approve"], &stray["may_approve"]), (2, &true.into(), &false.into()));
        assert_eq!(stray["mac"], names(7).mac.to_string());
        let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();

        // Unknown hardware is let in by importing it: to approve it is as if it were not there.
        let random = EnrolmentId::make(kits.now(), &kits.random).to_string();
        let nothing = vera.at("POST", &call("approve", &random), "", "", "").await?;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
        for missing in [call("approve", &id(stray)), call("approve", "nonsense"), call("dismiss", &random)] {
            let answer = vera.at("POST", &missing, "", "", "").await?;
            assert_eq!((answer.status, &answer.body), (nothing.status, &nothing.body), "{missing}");
        }

        let approved = vera.at("POST", &call("approve", &id(waiting)), "", "", "").await?;
        assert_eq!(approved.status, StatusCode::NO_CONTENT, "{}", approved.body);
        assert!(matches!(second.enrol_by_secret(kits, &names(1)).await?, Answer::Enrolled(_)));
        let again = vera.at("POST", &call("approve", &id(waiting)), "", "", "").await?;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        let dismissed = vera.at("POST", &call("dismiss", &id(stray)), "", "", "").await?;
        assert_eq!(dismissed.status, StatusCode::NO_CONTENT, "{}", dismissed.body);
        assert!(unknown.enrol_by_secret(kits, &names(7)).await.is_err());
        assert_eq!(vera.at("GET", LIST, "", "", "").await?.body, "[]");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_not_the_vendor_cannot_tell_a_waiting_key_from_none() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        manufactured(kits, 1, "factory_secret").await;
        Key::make().enrol_by_secret(kits, &names(1)).await?;
        Key::make().enrol_by_secret(kits, &names(1)).await?;
        let vendor = cast.somebody(OrganisationKind::Vendor, Role::Administrator, "vera@example.com").await?;
        let vera = Knock::by(&cast, &vendor).await?;
        let rows: Vec<Value> = serde_json::from_str(&vera.at("GET", LIST, "", "", "").await?.body)?;
        let id = rows[0]["id"].as_str().unwrap_or_default().to_owned();
        let random = EnrolmentId::make(kits.now(), &kits.random).to_string();

        let others = [
            (OrganisationKind::Installer, Role::Administrator),
            (OrganisationKind::Customer, Role::Administrator),
            (OrganisationKind::Reseller, Role::Administrator),
            (OrganisationKind::Vendor, Role::Basic),
        ];
        for (kind, role) in others {
            let other = cast.somebody(kind, role, &format!("{kind}@elsewhere.example")).await?;
            let knock = Knock::by(&cast, &other).await?;
            let list = knock.at("GET", LIST, "", "", "").await?;
            let reads = kind == OrganisationKind::Vendor;
            assert_eq!(list.status, if reads { StatusCode::OK } else { StatusCode::FORBIDDEN }, "{kind}");
            for verb in ["approve", "dismiss"] {
                let real = knock.at("POST", &call(verb, &id), "", "", "").await?;
                let none = knock.at("POST", &call(verb, &random), "", "", "").await?;
                assert_eq!((real.status, &real.body), (StatusCode::FORBIDDEN, &none.body), "{kind} {verb}");
                assert_eq!(real.status, none.status, "{kind} {verb}");
            }
        }
        let nobody = Knock::by_nobody(&cast).at("POST", &call("approve", &id), "", "", "").await?;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        let still: Vec<Value> = serde_json::from_str(&vera.at("GET", LIST, "", "", "").await?.body)?;
        assert_eq!(still.len(), 1);
    }
    Ok(())
}
