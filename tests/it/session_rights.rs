//! What a session stands on beside the people: the customer's rule of now, and the key the device was let in with.

use gatelodge_cloud::{
    activation::rule,
    sessions::{decide, end, service},
};
use gatelodge_proto::{
    SessionId,
    api::SessionState,
    payload::{Consent, EndReason},
};

use crate::{
    cast::{self, Cast},
    sessions::asked,
};

async fn stands(cast: &Cast, id: SessionId) -> anyhow::Result<bool> {
    end::sweep(cast.kits()).await?;
    let member = cast.user("rosa@example.com").await?;
    let view = service::one(cast.kits(), member.member(), id).await?.unwrap().view;
    match (view.state, view.end_reason) {
        (SessionState::Open | SessionState::Waiting, None) => Ok(true),
        (SessionState::Ended, Some(EndReason::Revoked)) => Ok(false),
        other => anyhow::bail!("{other:?}"),
    }
}

#[tokio::test]
async fn sessions_fall_with_the_key_that_the_device_was_let_in_with() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, _) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;

        // Renewal: the old certificate gives way to the next of the same device.
        let session = asked(&cast, &marc, prop).await?.id;
        assert!(stands(&cast, session).await?);
        cast.pass(1);
        cast.change("UPDATE certificate SET state = 'superseded'").await?;
        cast.lets_in(prop.id).await?;
        assert!(stands(&cast, session).await?);

        // The vendor takes the certificates back.
        cast.change("UPDATE certificate SET state = 'revoked'").await?;
        assert!(!stands(&cast, session).await?);

        // Another key takes the device over.
        cast.lets_in(prop.id).await?;
        let session = asked(&cast, &marc, prop).await?.id;
        assert!(stands(&cast, session).await?);
        cast.pass(1);
        cast.change("UPDATE certificate SET state = 'revoked'").await?;
        cast.lets_in(prop.id).await?;
        assert!(!stands(&cast, session).await?);
    }
    Ok(())
}

#[tokio::test]
async fn asking_again_ends_what_nobody_was_asked_about() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let allowed = asked(&cast, &marc, prop).await?.id;
        decide::approve(kits, &rosa, allowed).await?;
        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;
        let unasked = asked(&cast, &marc, prop).await?.id;
        assert!(stands(&cast, unasked).await?);
        rule::set_consent(kits, &rosa, prop.id, Consent::Ask).await?;
        assert!(!stands(&cast, unasked).await?);
        assert!(stands(&cast, allowed).await?);
    }
    Ok(())
}
