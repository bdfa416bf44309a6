//! The rule with all it says, and the vendor's emergency stop, as programs read and change them.

use gatelodge_proto::payload::Consent;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{cast, doors::Knock};

const STOPS: &str = "/api/v1/emergency-stops";
const JSON: &str = "application/json";

#[tokio::test]
async fn what_a_customer_sets_is_read_by_both_sides_and_by_nobody_else() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (rosa, marc) = (Knock::by(&cast, rosa.signed_in()).await?, Knock::by(&cast, marc.signed_in()).await?);
        let device = format!("/api/v1/devices/{}", prop.id);
        let read = async |by: &Knock| -> anyhow::Result<Value> {
            Ok(serde_json::from_str(&by.at("GET", &device, "", "", "").await?.body)?)
        };
        assert_eq!(read(&rosa).await?.get("opening"), None, "it says nothing yet");
        let hours =
            json!({ "zone": "Europe/Paris", "windows": [{ "days": ["sat"], "from": "08:00", "until": "12:00" }] });
        let rules = [
            ("consent", json!({ "consent": "always", "hours": hours })),
            ("break-glass", json!({ "who": "supervisor" })),
            ("open", json!({ "hours": 2 })),
        ];
        for (path, body) in rules {
            let set = rosa.at("PUT", &format!("{device}/{path}"), JSON, &body.to_string(), "").await?;
            assert_eq!(set.status, StatusCode::OK, "{path}: {}", set.body);
        }
        for by in [&rosa, &marc] {
            let opening = &read(by).await?["opening"];
            assert_eq!((&opening["hours"], &opening["break_glass"]), (&hours, &json!("supervisor")), "{opening}");
            assert!(opening["open_until"].is_string(), "{opening}");
        }
        let unfit = rosa.at("PUT", &format!("{device}/break-glass"), JSON, r#"{"who":"vendor"}"#, "").await?;
        assert_eq!(unfit.status, StatusCode::BAD_REQUEST, "{}", unfit.body);
        let set = rosa.at("PUT", &format!("{device}/break-glass"), JSON, "{}", "").await?;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        assert_eq!(read(&marc).await?["opening"].get("break_glass"), None);
    }
    Ok(())
}

#[tokio::test]
async fn the_vendor_stops_reads_and_lifts() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let vendor = cast.vendor().await?;
        let vera = Knock::by(&cast, vendor.signed_in()).await?;
        let stop = async |body: Value| vera.at("POST", STOPS, JSON, &body.to_string(), "").await;
        let office = marc.member().organisation_id;
        for unfit in [json!({ "reason": " " }), json!({ "reason": "x", "device": prop.id, "installer": office })] {
            assert_eq!(stop(unfit).await?.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let made = stop(json!({ "reason": "water in the cabinet", "device": prop.id })).await?;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let made: Value = serde_json::from_str(&made.body)?;
        let listed: Value = serde_json::from_str(&vera.at("GET", STOPS, "", "", "").await?.body)?;
        assert_eq!((&listed[0]["id"], &listed[0]["reason"]), (&made["id"], &json!("water in the cabinet")), "{listed}");
        let lift = format!("{STOPS}/{}/lift", made["id"].as_str().unwrap_or_default());
        assert_eq!(vera.at("POST", &lift, "", "", "").await?.status, StatusCode::NO_CONTENT);
        assert_eq!(vera.at("POST", &lift, "", "", "").await?.status, StatusCode::NOT_FOUND, "lifted once");
        let stranger = Knock::by(&cast, marc.signed_in()).await?;
        assert_eq!(stranger.at("GET", STOPS, "", "", "").await?.status, StatusCode::FORBIDDEN);
    }
    Ok(())
}
