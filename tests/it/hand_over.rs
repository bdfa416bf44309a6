//! The customer changes installer: on both databases by the services, and by two people at browsers while somebody of the
//! installer before is inside.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gatelodge_cloud::{
    accounts::{
        rights::CustomerMember,
        tokens::{self, Purpose, Secret},
    },
    activation::{
        Wanted,
        hand_over::{self, TakeOverRefusal},
        model::LinkFault,
        release,
        rule::{self, OpenFor, RuleChange, RuleRefusal},
        service,
    },
    sessions::{decide, end, join, request},
};
use gatelodge_proto::{
    api::SessionState,
    opening::{BreakGlass, Opening},
    payload::{Consent, EndReason, Life},
};
use gatelodge_tests::{
    browser::{Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{CUSTOMER, INSTALLER, Person, WEB_ADDRESS},
};
use tokio::task::JoinSet;

use crate::{
    cast::{self, Cast, Prop},
    sessions::{asked, live, state, wish},
};

const SOON: Duration = Duration::from_secs(60);

/// Asks for somebody to take over, and gives the link as the mail would carry it.
async fn offered(cast: &Cast, by: &CustomerMember, prop: Prop) -> anyhow::Result<Secret> {
    hand_over::offer(cast.kits(), by, prop.id, &"lena@example.com".parse()?).await?;
    link(cast, by, prop).await
}

/// The link to whom was asked last.
pub(crate) async fn link(cast: &Cast, by: &CustomerMember, prop: Prop) -> anyhow::Result<Secret> {
    let kits = cast.kits();
    let view = service::one(kits, by.member(), prop.id).await?.context("it is theirs")?;
    let (purpose, mut tx) = (Purpose::TakeOver, kits.db.write().await?);
    let link = tokens::issue(&mut tx, kits.now(), &kits.random, purpose, view.id.uuid(), purpose.life()).await?;
    tx.commit().await?;
    Ok(link)
}

fn fault(refusal: &TakeOverRefusal) -> Option<LinkFault> {
    if let TakeOverRefusal::Link(fault) = refusal { Some(*fault) } else { None }
}

#[tokio::test]
async fn whoever_takes_over_begins_with_ask_and_the_one_before_is_out() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        rule::set_break_glass(kits, &rosa, prop.id, Some(BreakGlass::Technician)).await?;
        let open = asked(&cast, &marc, prop).await?;
        assert_eq!(open.state, SessionState::Open);
        rule::set_consent(kits, &rosa, prop.id, Consent::Ask).await?;
        let waiting = request::request(kits, &marc, wish(prop)).await?.view;

        let link = offered(&cast, &rosa, prop).await?;
        let mine = hand_over::take_over(kits, &marc, &link).await.unwrap_err();
        assert!(matches!(mine, TakeOverRefusal::Yours(device) if device == prop.id), "{mine}");
        rule::set_consent(kits, &rosa, prop.id, Consent::Always).await?;
        assert_eq!(hand_over::take_over(kits, &lena, &link).await?, prop.id);

        // Nobody of the one before enters or is let in, even before the watch has looked; then it ends what is open.
        assert!(join::join(kits, &marc, open.id).await.is_err());
        assert!(request::request(kits, &marc, wish(prop)).await.is_err());
        assert!(decide::approve(kits, &rosa, waiting.id).await.is_err());
        end::sweep(kits).await?;
        for id in [open.id, waiting.id] {
            assert_eq!(state(&cast, &rosa, id).await?, (SessionState::Ended, Some(EndReason::Revoked)));
        }
        assert!(service::one(kits, marc.member(), prop.id).await?.is_none());
        assert!(service::list(kits, marc.member(), &Wanted::default()).await?.is_empty());

        // The customer's rule for the one before does not hold for the other.
        let view = service::one(kits, lena.member(), prop.id).await?.context("it is Lena's now")?;
        assert_eq!((view.consent, view.opening, view.life), (Consent::Ask, Opening::default(), Life::Active));
        assert_eq!(view.data, Some(cast::data("Rosa Bianchi")), "what the customer said of themselves stays");
        assert_eq!(asked(&cast, &lena, prop).await?.state, SessionState::Waiting);

        // What is said on a page that still names the one before lets nobody in; what takes a right away holds.
        let to_marc = Some(marc.member().organisation_id);
        let said = async |change| rule::set(kits, &rosa, prop.id, to_marc, &change).await;
        for change in [
            RuleChange::Consent(Consent::Always, None),
            RuleChange::Open(Some(OpenFor::Day)),
            RuleChange::BreakGlass(Some(BreakGlass::Technician)),
        ] {
            assert!(matches!(said(change.clone()).await, Err(RuleRefusal::OtherInstaller)), "{change:?}");
            assert!(matches!(
                rule::after(kits, &rosa, prop.id, marc.member().organisation_id, &change).await,
                Err(RuleRefusal::OtherInstaller)
            ));
        }
        let view = service::one(kits, lena.member(), prop.id).await?.context("it is Lena's")?;
        assert_eq!((view.consent, view.opening), (Consent::Ask, Opening::default()));
        said(RuleChange::Consent(Consent::Never, None)).await?;
        let view = service::one(kits, lena.member(), prop.id).await?.context("it is Lena's")?;
        assert_eq!(view.consent, Consent::Never);

        // Each side reads its own part.
        for (by, known) in [(marc.member(), true), (rosa.member(), true), (lena.member(), false)] {
            let history = cast.history(by.organisation_id, prop.id).await?;
            assert!(history.contains(&"installer_changed".to_owned()), "{history:?}");
            assert_eq!(history.contains(&"device_activated".to_owned()), known, "{history:?}");
        }
        let mails = cast.jobs().await?;
        for kind in ["activation.mail_handed_over_customer", "activation.mail_handed_over_installer"] {
            assert!(mails.iter().any(|mail| mail == kind), "{mails:?}");
        }
        let again = hand_over::take_over(kits, &lena, &link).await.unwrap_err();
        assert_eq!(fault(&again), Some(LinkFault::Used));
    }
    Ok(())
}

#[tokio::test]
async fn a_link_that_is_taken_back_replaced_or_late_does_nothing() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let refused = async |link: &Secret, why| -> anyhow::Result<()> {
            assert_eq!(fault(&hand_over::look(kits, link).await.unwrap_err()), Some(why));
            assert_eq!(fault(&hand_over::take_over(kits, &lena, link).await.unwrap_err()), Some(why));
            assert!(service::one(kits, marc.member(), prop.id).await?.is_some(), "{why:?}");
            Ok(())
        };
        let first = offered(&cast, &rosa, prop).await?;
        let second = offered(&cast, &rosa, prop).await?;
        refused(&first, LinkFault::Superseded).await?;
        assert!(hand_over::look(kits, &second).await.is_ok(), "looking uses nothing up");
        hand_over::withdraw(kits, &rosa, prop.id).await?;
        refused(&second, LinkFault::Superseded).await?;
        hand_over::withdraw(kits, &rosa, prop.id).await?;
        let third = offered(&cast, &rosa, prop).await?;
        cast.pass(Purpose::TakeOver.life().as_secs());
        refused(&third, LinkFault::Expired).await?;
        let fourth = offered(&cast, &rosa, prop).await?;
        release::release(kits, &rosa, prop.id, "villa-rosa").await?;
        let gone = hand_over::take_over(kits, &lena, &fourth).await.unwrap_err();
        assert_eq!(fault(&gone), Some(LinkFault::Withdrawn));
        let unknown = hand_over::take_over(kits, &lena, &Secret::make(&kits.random)).await.unwrap_err();
        assert_eq!(fault(&unknown), Some(LinkFault::Unknown));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_follow_one_link_one_takes_over() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let link = offered(&cast, &rosa, prop).await?;
        let mut racers = JoinSet::new();
        for place in 0..6 {
            let by = cast.installer(&format!("racer{place}@example.com")).await?;
            let (kits, link) = (cast.kits().clone(), link.clone());
            racers.spawn(async move { hand_over::take_over(&kits, &by, &link).await.is_ok() });
        }
        assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
        let live = "SELECT count(*) FROM registration WHERE state = 'active'";
        assert_eq!(cast.count(live).await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM registration WHERE state = 'handed_over'").await?, 1);
    }
    Ok(())
}

const LENA: Person = Person { name: "Lena Weber", email: "lena@other.example", password: "granite whistle orchard 85" };

async fn story(setup: Setup) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut stage, mut forward) = live::open(TestCloud::start(CloudSetup::default()).await?, folder.path()).await?;
    if !stage.with_browsers(setup).await? {
        return Ok(());
    }
    let say = |english: &'static str, french: &'static str| if setup.language == "en" { english } else { french };
    let device = stage.agent_status().await?.0["device"].as_str().context("no device")?.to_owned();

    // The customer asks.
    stage.customer.open("/sign-in").await?;
    stage.customer.submit("/sign-in", &[("email", CUSTOMER.email), ("password", CUSTOMER.password)]).await?;
    let (page, change) = (format!("/devices/{device}"), format!("/devices/{device}/installer"));
    stage.customer.open(&page).await?;
    ensure!(stage.customer.links().await?.contains(&change), "the device's page leads there");
    stage.customer.open(&change).await?;
    stage.customer.reads(INSTALLER.name).await?;
    stage.customer.look("change_installer").await?;
    stage.customer.submit(&change, &[("email", LENA.email)]).await?;
    stage.customer.reads(LENA.email).await?;
    stage.customer.look("change_installer_asked").await?;
    stage.customer.submit(&format!("{change}/keep"), &[]).await?;
    stage.customer.reads(say("Your installer stays", "Votre installateur reste")).await?;
    stage.customer.open(&change).await?;
    stage.customer.submit(&change, &[("email", LENA.email)]).await?;

    // Whom they ask has no account yet: the link tells, and waits.
    let link = stage.mails.link(LENA, "/take-over").await?;
    let mut lena = Hands::plain(&stage.cloud.portal(), setup.language)?;
    lena.open("/sign-up").await?;
    let company = [("company", "Weber Sécurité"), ("name", LENA.name), ("email", LENA.email)];
    lena.submit("/sign-up", &company).await?;
    let confirm = stage.mails.link(LENA, "/confirm-email").await?;
    let fields = [("password", LENA.password), ("repeated", LENA.password)];
    lena.follow(&confirm, "/confirm-email", &fields).await?;
    stage.installer.open(&link).await?;
    stage.installer.look("take_over_landing").await?;
    stage.installer.follow(&link, "/take-over", &[]).await?;
    ensure!(stage.installer.path().await? == "/sign-in", "{}", stage.installer.text().await?);
    stage.installer.submit("/sign-in", &[("email", LENA.email), ("password", LENA.password)]).await?;
    stage.installer.reads(WEB_ADDRESS).await?;
    stage.installer.reads(CUSTOMER.name).await?;
    stage.installer.look("take_over").await?;
    live::echoes(forward.port).await.context("until then nothing changes")?;
    stage.installer.submit("/take-over/confirm", &[]).await?;
    stage
        .installer
        .reads(say("You are the installer of this device now", "Vous êtes maintenant l’installateur"))
        .await?;
    stage.installer.look("taken_over").await?;

    // Whoever was inside is out, and sees nothing of the device any more.
    ensure!(!forward.process.wait(SOON).await?.success());
    ensure!(forward.process.log().contains("the right to it was taken back"), "{}", forward.process.log());
    let devices = stage.technician.run(["devices"]).await?;
    ensure!(!devices.out.contains(WEB_ADDRESS), "{}", devices.out);
    stage.customer.wait_for(&page, "Weber Sécurité", SOON).await?;
    stage
        .agent_says("knows its installer", |told| {
            (told.0["registration"]["installer"] == "Weber Sécurité").then_some(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_changes_installer_on_a_phone() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_changes_installer_at_a_desk_in_the_dark() -> anyhow::Result<()> {
    story(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }).await
}
