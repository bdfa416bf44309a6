//! What one technician may cost a customer and the cloud.

use std::sync::Arc;

use gatelodge_cloud::{
    activation::rule,
    sessions::{
        end, join, prune,
        request::{self, RequestRefusal},
    },
};
use gatelodge_proto::payload::Consent;
use tokio::task::JoinSet;

use super::{asked, wish};
use crate::cast;

#[tokio::test]
async fn requests_that_the_rule_refuses_are_not_written_down_without_end() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (other, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Always).await?;
        rule::set_consent(cast.kits(), &rosa, prop.id, Consent::Never).await?;
        for _ in 0..20 {
            asked(&cast, &marc, prop).await?;
        }
        let refused = request::request(cast.kits(), &marc, wish(prop)).await;
        assert!(matches!(refused, Err(RequestRefusal::Throttled(_))), "{refused:?}");
        assert_eq!(cast.count("SELECT count(*) FROM remote_session").await?, 20);
        asked(&cast, &marc, other).await?;
        cast.pass(3600);
        asked(&cast, &marc, prop).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_four_are_live() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let mut all = JoinSet::new();
        for _ in 0..16 {
            let (cast, marc) = (cast.clone(), marc.clone());
            all.spawn(async move { request::request(cast.kits(), &marc, wish(prop)).await });
        }
        let outcomes = all.join_all().await;
        let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(RequestRefusal::Busy))).count();
        assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), busy), (4, 12), "{outcomes:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_on_many_devices_an_installer_has_as_many_as_it_may() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let marc = cast.installer("marc@example.com").await?;
        let mut kits = cast.kits().clone();
        let mut config = (*kits.config).clone();
        config.sessions.live_per_organisation = 3;
        kits.config = Arc::new(config);
        let mut wishes = Vec::new();
        for count in 0..8 {
            let (address, email) = (format!("villa-{count}"), format!("anna{count}@example.com"));
            wishes.push(wish(cast.active(&marc, &address, &email, Consent::Always).await?.0));
        }
        let (mut all, together) = (JoinSet::new(), Arc::new(tokio::sync::Barrier::new(wishes.len())));
        for wish in wishes {
            let (kits, marc, together) = (kits.clone(), marc.clone(), together.clone());
            all.spawn(async move {
                together.wait().await;
                request::request(&kits, &marc, wish).await
            });
        }
        let outcomes = all.join_all().await;
        let busy = |outcome: &&Result<_, _>| matches!(outcome, Err(RequestRefusal::OrganisationBusy(3)));
        let counted = (outcomes.iter().filter(|outcome| outcome.is_ok()).count(), outcomes.iter().filter(busy).count());
        assert_eq!(counted, (3, 5), "{outcomes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn tickets_that_let_nobody_in_any_more_are_forgotten() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        join::join(cast.kits(), &marc, session).await?;
        prune::prune(cast.kits()).await?;
        assert_eq!(cast.count("SELECT count(*) FROM join_ticket").await?, 2);
        cast.pass(2 * 3600);
        prune::prune(cast.kits()).await?;
        assert_eq!(cast.count("SELECT count(*) FROM join_ticket").await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn an_installer_has_so_many_sessions_at_once_and_no_more_on_all_devices_together() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let mut kits = cast.kits().clone();
        let mut config = (*kits.config).clone();
        config.sessions.live_per_organisation = 2;
        kits.config = Arc::new(config);
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (rosa, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (blu, _) = cast.active(&marc, "villa-blu", "blu@example.com", Consent::Always).await?;
        let (other, _) = cast.active(&lena, "villa-lena", "paul@example.com", Consent::Ask).await?;
        let first = request::request(&kits, &marc, wish(rosa)).await?.view.id;
        request::request(&kits, &marc, wish(blu)).await?;
        let refused = request::request(&kits, &marc, wish(blu)).await.map(drop).unwrap_err();
        assert!(matches!(refused, RequestRefusal::OrganisationBusy(2)), "{refused}");
        assert!(refused.to_string().contains("2 sessions waiting or open already"), "{refused}");
        request::request(&kits, &lena, wish(other)).await?;
        end::stop_by_technician(&kits, &marc, first).await?;
        request::request(&kits, &marc, wish(blu)).await?;
    }
    Ok(())
}
