//! The vendor's emergency stop on both databases: what is live ends, nobody new gets in, everybody concerned is told, and
//! lifting it gives the way back.

use gatelodge_cloud::{
    activation::rule,
    audit,
    sessions::{
        decide,
        emergency::{self, Scope, StopRefusal},
        end, join,
        request::{self, RequestRefusal},
        service,
    },
};
use gatelodge_proto::{
    api::SessionState,
    payload::{Consent, EndReason},
};

use super::wish;
use crate::cast;

#[tokio::test]
async fn a_stop_ends_what_is_live_keeps_new_ones_out_and_is_told() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let vendor = cast.vendor().await?;
        let marc = cast.installer("marc@example.com").await?;
        let paul = cast.installer("paul@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let (other, blu) = cast.active(&paul, "villa-blu", "blu@example.com", Consent::Ask).await?;
        for prop in [prop, other] {
            cast.reports(prop, &["panel-web"]).await?;
        }
        let open = request::request(kits, &marc, wish(prop)).await?.view.id;
        let waiting = request::request(kits, &paul, wish(other)).await?.view.id;
        assert!(matches!(emergency::stop(kits, &vendor, Scope::Everybody, " ").await, Err(StopRefusal::Reason)));
        let installer = Scope::Installer(marc.member().organisation_id);
        let (stop, ended) = emergency::stop(kits, &vendor, installer, "a laptop was stolen").await?;
        assert_eq!(ended, 1);
        let of = async |by: &gatelodge_cloud::accounts::model::Member, id| -> anyhow::Result<_> {
            let view = service::one(kits, by, id).await?.expect("theirs").view;
            Ok((view.state, view.end_reason))
        };
        assert_eq!(of(rosa.member(), open).await?, (SessionState::Ended, Some(EndReason::Revoked)));
        assert_eq!(of(blu.member(), waiting).await?.0, SessionState::Waiting, "another installer's goes on");
        let refused = request::request(kits, &marc, wish(prop)).await.err();
        assert!(matches!(refused, Some(RequestRefusal::Stopped(reason)) if reason == "a laptop was stolen"));
        let mut tx = kits.db.read().await?;
        for organisation in [rosa.member().organisation_id, marc.member().organisation_id] {
            let rows = audit::read(&mut tx, organisation, None, None, 20).await?;
            assert!(rows.iter().any(|row| row.what == "emergency_stop"), "both sides read it");
        }
        let rows = audit::read(&mut tx, blu.member().organisation_id, None, None, 20).await?;
        assert!(!rows.iter().any(|row| row.what == "emergency_stop"), "nobody else does");
        drop(tx);

        // Everybody: what waits ends, and what was allowed in the same moment opens nothing.
        decide::approve(kits, &blu, waiting).await?;
        let (all, ended) = emergency::stop(kits, &vendor, Scope::Everybody, "a hole in the relay").await?;
        assert_eq!(ended, 1);
        assert!(join::join(kits, &paul, waiting).await.is_err());
        assert!(emergency::lift(kits, &vendor, all).await?);
        assert!(!emergency::lift(kits, &vendor, all).await?, "a stop is lifted once");
        let again = request::request(kits, &paul, wish(other)).await?.view;
        assert_eq!(again.state, SessionState::Waiting);
        let on_device = Scope::Device(other.id);
        let (device, ended) = emergency::stop(kits, &vendor, on_device, "water in the cabinet").await?;
        assert_eq!((ended, emergency::in_force(kits).await?.len()), (1, 2));
        assert!(emergency::lift(kits, &vendor, device).await? && emergency::lift(kits, &vendor, stop).await?);
        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;
        let back = request::request(kits, &marc, wish(prop)).await?.view;
        end::sweep(kits).await?;
        assert_eq!(of(rosa.member(), back.id).await?.0, SessionState::Open);
    }
    Ok(())
}
