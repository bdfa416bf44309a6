//! The customer's rule with hours, and openings of two and of twenty-four hours: who is asked when, and what ends what.

use std::time::Duration;

use gatelodge_cloud::{
    activation::rule::{self, OpenFor},
    sessions::{decide, end, extend, request, service},
};
use gatelodge_proto::{
    SessionId, Timestamp,
    api::{ExtensionState, SessionState},
    opening::{Day, OpenHours, Window},
    payload::{Consent, EndReason},
};

use super::wish;
use crate::cast::{self, Cast};

/// The clock of the tests stands at 2027-01-15T08:00:00Z, a Friday.
fn hours(from: &str, until: &str) -> OpenHours {
    let window =
        Window { days: vec![Day::Fri], from: from.parse().expect("a time"), until: until.parse().expect("a time") };
    OpenHours { zone: "Europe/Paris".parse().expect("a zone"), windows: vec![window] }
}

async fn asks(
    cast: &Cast,
    by: &gatelodge_cloud::accounts::rights::InstallerMember,
    prop: cast::Prop,
) -> anyhow::Result<(SessionId, SessionState, Option<Timestamp>)> {
    let session = request::request(cast.kits(), by, wish(prop)).await?;
    Ok((session.view.id, session.view.state, session.view.until))
}

#[tokio::test]
async fn within_the_hours_the_rule_opens_until_their_end_and_outside_the_customer_is_asked() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        cast.reports(prop, &["panel-web"]).await?;
        // 08:00Z is 09:00 in Paris: open for ten minutes more.
        let start = kits.now();
        rule::set_rule(kits, &rosa, prop.id, Consent::Always, Some(hours("08:00", "09:10"))).await?;
        let (inside, state, until) = asks(&cast, &marc, prop).await?;
        assert_eq!((state, until), (SessionState::Open, Some(start + Duration::from_secs(600))));

        // More time reaches beyond the hours: the customer is asked, and what they give outlives the hours.
        extend::ask(kits, &marc, inside, 30).await?;
        let asked = service::one(kits, rosa.member(), inside).await?.expect("it is theirs");
        assert_eq!(asked.view.extension.map(|wish| wish.state), Some(ExtensionState::Asked));
        extend::give(kits, &rosa, inside, 30, None).await?;
        let (other, state, _) = asks(&cast, &marc, prop).await?;
        assert_eq!(state, SessionState::Open);
        cast.pass(601);
        end::sweep(kits).await?;
        let state_of = async |id| -> anyhow::Result<(SessionState, Option<EndReason>)> {
            let session = service::one(kits, rosa.member(), id).await?.expect("it is theirs");
            Ok((session.view.state, session.view.end_reason))
        };
        assert_eq!(state_of(inside).await?.1, Some(EndReason::NeverJoined), "nobody came, and no rule ended it");
        assert_eq!(state_of(other).await?, (SessionState::Ended, Some(EndReason::Expired)));

        let (outside, state, _) = asks(&cast, &marc, prop).await?;
        assert_eq!(state, SessionState::Waiting);
        decide::approve(kits, &rosa, outside).await?;
        end::sweep(kits).await?;
        assert_eq!(state_of(outside).await?.0, SessionState::Open, "the customer was asked: no hour ends it");
    }
    Ok(())
}

#[tokio::test]
async fn narrower_hours_end_what_the_wider_ones_have_opened() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        cast.reports(prop, &["panel-web"]).await?;
        let (open, state, _) = asks(&cast, &marc, prop).await?;
        assert_eq!(state, SessionState::Open);
        rule::set_rule(kits, &rosa, prop.id, Consent::Always, Some(hours("20:00", "22:00"))).await?;
        end::sweep(kits).await?;
        let ended = service::one(kits, rosa.member(), open).await?.expect("it is theirs");
        assert_eq!(ended.view.end_reason, Some(EndReason::Revoked));
    }
    Ok(())
}

#[tokio::test]
async fn an_opening_from_now_on_ends_with_its_sessions_and_the_rule_is_back() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Never).await?;
        cast.reports(prop, &["panel-web"]).await?;
        assert_eq!(asks(&cast, &marc, prop).await?.1, SessionState::Refused);
        rule::open_for(kits, &rosa, prop.id, None, OpenFor::TwoHours).await?;
        let (open, state, _) = asks(&cast, &marc, prop).await?;
        assert_eq!(state, SessionState::Open);
        end::sweep(kits).await?;
        assert_eq!(service::one(kits, rosa.member(), open).await?.expect("theirs").view.state, SessionState::Open);
        cast.pass(2 * 3_600);
        end::sweep(kits).await?;
        assert_eq!(rule::close_lapsed(kits).await?, 1);
        assert_eq!(rule::close_lapsed(kits).await?, 0, "the device is told once");
        assert_eq!(asks(&cast, &marc, prop).await?.1, SessionState::Refused);

        rule::open_for(kits, &rosa, prop.id, None, OpenFor::Day).await?;
        let (open, ..) = asks(&cast, &marc, prop).await?;
        rule::close(kits, &rosa, prop.id).await?;
        end::sweep(kits).await?;
        let ended = service::one(kits, rosa.member(), open).await?.expect("theirs");
        assert_eq!(ended.view.end_reason, Some(EndReason::Revoked), "closed by a press, the session ends");
    }
    Ok(())
}
