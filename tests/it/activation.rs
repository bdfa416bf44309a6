//! Registration and activation through the real services, on both databases.

use std::sync::Arc;

use gatelodge_cloud::{
    accounts::model::{OrganisationKind, Role},
    activation::{
        amend::{self, AmendRefusal},
        confirm::{self, ConfirmRefusal},
        machine::Refusal,
        model::{LinkFault, Presence},
        register::{self, RegisterRefusal},
        release::{self, ReleaseRefusal},
        rule, service,
    },
    i18n::Language,
    run,
};
use gatelodge_proto::{
    Random,
    identity::{ClaimSecret, IdCode, OnSiteCode},
    payload::{Consent, Life, Order},
};
use tokio::task::JoinSet;

use crate::cast::{self, Cast, network};

fn other_code(code: OnSiteCode) -> OnSiteCode {
    (90..99).map(|seed| OnSiteCode::make(&Random::seeded(seed))).find(|other| *other != code).unwrap()
}

#[tokio::test]
async fn the_check_says_what_is_wrong_and_changes_nothing() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let taken = cast.device().await?;
        cast.registers(&marc, taken, "villa-rosa", "rosa@example.com").await?;
        let retired = cast.device_in("retired", None).await?;
        let new = cast.device_in("manufactured", None).await?;
        let free = cast.device().await?;
        let code = cast.shows_code(free.id).await?;
        let claim = |prop, code| Cast::claim(prop, code, "villa-blu", "blu@example.com");
        let word = async |by, claim| match register::check(kits, by, &network(), &claim).await {
            Ok(device) => format!("ok {}", device.product_name),
            Err(refusal) => refusal.word().to_owned(),
        };

        let mut unknown = claim(free, code);
        unknown.id_code = IdCode::make(&Random::seeded(77));
        assert_eq!(word(&marc, unknown).await, "unknown_pair");
        let mut foreign_mac = claim(free, code);
        foreign_mac.mac = taken.mac;
        assert_eq!(word(&marc, foreign_mac).await, "unknown_pair");
        assert_eq!(word(&marc, claim(taken, code)).await, "yours");
        assert_eq!(word(&lena, claim(taken, code)).await, "taken");
        assert_eq!(word(&marc, claim(retired, code)).await, "retired");
        assert_eq!(word(&marc, claim(new, code)).await, "no_on_site_code");
        let mut address = claim(free, code);
        address.web_address = "villa-rosa".parse()?;
        assert_eq!(word(&marc, address).await, "web_address_in_use");
        let mut secret = claim(free, code);
        secret.presence = Presence::LabelSecret(ClaimSecret::make(&Random::seeded(5)));
        assert_eq!(word(&marc, secret).await, "wrong_label_secret");
        assert_eq!(word(&marc, claim(free, code)).await, "ok Alarm server");
        // A right code is not used up by checking.
        assert_eq!(word(&marc, claim(free, code)).await, "ok Alarm server");
        assert_eq!(cast.count("SELECT count(*) FROM registration").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM user_account").await?, 3);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_codes_are_counted_down_and_then_even_the_right_one_is_void() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let vendor = cast.somebody(OrganisationKind::Vendor, Role::Administrator, "vera@example.com").await?;
        let prop = cast.device().await?;
        let code = cast.shows_code(prop.id).await?;
        let wrong = Cast::claim(prop, other_code(code), "villa-rosa", "rosa@example.com");
        for left in [4, 3, 2, 1] {
            let refusal = register::check(cast.kits(), &marc, &network(), &wrong).await.unwrap_err();
            assert!(matches!(refusal, RegisterRefusal::WrongCode { left: found } if found == left), "{refusal:?}");
            assert!(refusal.to_string().contains(&format!("tries left: {left}")), "{refusal}");
        }
        let refusal = register::save(cast.kits(), &marc, &network(), &wrong, None, Language::En).await.unwrap_err();
        assert_eq!(refusal.word(), "on_site_code_locked");
        let sixth = register::check(cast.kits(), &marc, &network(), &wrong).await.unwrap_err();
        assert_eq!(sixth.word(), "no_on_site_code");
        // The device belongs to nobody yet but the vendor, who reads it once.
        let told = cast.history(vendor.member().organisation_id, prop.id).await?;
        assert_eq!(told.iter().filter(|what| *what == "on_site_code_locked").count(), 1, "{told:?}");
        let right = Cast::claim(prop, code, "villa-rosa", "rosa@example.com");
        let refusal = register::save(cast.kits(), &marc, &network(), &right, None, Language::En).await.unwrap_err();
        assert_eq!(refusal.word(), "no_on_site_code");
        let newer = cast.shows_code(prop.id).await?;
        let right = Cast::claim(prop, newer, "villa-rosa", "rosa@example.com");
        register::save(cast.kits(), &marc, &network(), &right, None, Language::En).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_labels_secret_proves_as_well_as_the_code() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        kits.pki.make_batch("b-1")?;
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device_in("enrolled", Some("b-1")).await?;
        let mut tx = kits.db.read().await?;
        let serial = run!(&mut tx, c => sqlx::query_scalar::<_, String>("SELECT serial FROM device").fetch_one(c))?;
        drop(tx);
        let key = kits.pki.batch("b-1")?.unwrap();
        let mut claim = Cast::claim(prop, OnSiteCode::make(&kits.random), "villa-rosa", "rosa@example.com");
        claim.presence = Presence::LabelSecret(key.label_secret(prop.id_code, &serial.parse()?, prop.mac));
        register::save(kits, &marc, &network(), &claim, None, Language::En).await?;
    }
    Ok(())
}

#[tokio::test]
async fn guessing_is_throttled_per_user() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let prop = cast.device().await?;
        let mut claim = Cast::claim(prop, OnSiteCode::make(&Random::seeded(1)), "villa-rosa", "rosa@example.com");
        claim.id_code = IdCode::make(&Random::seeded(77));
        for _ in 0..30 {
            let refusal = register::check(cast.kits(), &marc, &network(), &claim).await.unwrap_err();
            assert_eq!(refusal.word(), "unknown_pair");
        }
        let refusal = register::check(cast.kits(), &marc, &network(), &claim).await.unwrap_err();
        assert_eq!(refusal.word(), "throttled");
        assert!(refusal.to_string().contains("wait"), "{refusal}");
        // Somebody else is not locked out by it.
        let refusal = register::check(cast.kits(), &lena, &network(), &claim).await.unwrap_err();
        assert_eq!(refusal.word(), "unknown_pair");
        cast.pass(601);
        let refusal = register::check(cast.kits(), &marc, &network(), &claim).await.unwrap_err();
        assert_eq!(refusal.word(), "unknown_pair");
    }
    Ok(())
}

#[tokio::test]
async fn saving_writes_everything_that_follows() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let organisation = marc.member().organisation_id;
        let prop = cast.device().await?;
        cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let mails = |mut jobs: Vec<String>| {
            jobs.retain(|kind| kind.contains("mail"));
            jobs.sort();
            jobs
        };
        // Somebody new gets two mails.
        assert_eq!(mails(cast.jobs().await?), ["accounts.mail_set_password", "activation.mail_link"]);
        assert!(cast.history(organisation, prop.id).await?.contains(&"device_registered".to_owned()));
        let told = cast.orders(prop.id).await?;
        let state = told.iter().find_map(|order| if let Order::State(state) = order { Some(state) } else { None });
        let state = state.expect("the device is told");
        assert_eq!((state.life, state.consent), (Life::Registered, Consent::Never));
        assert_eq!(state.web_address.as_deref(), Some("villa-rosa"));
        assert_eq!(state.customer, None);

        // Somebody known gets one.
        cast.member(organisation, gatelodge_cloud::accounts::model::Role::Basic, "known@example.com").await?;
        let second = cast.device().await?;
        cast.registers(&marc, second, "villa-blu", "known@example.com").await?;
        assert_eq!(mails(cast.jobs().await?).len(), 3);
    }
    Ok(())
}

async fn winners<T: Send + 'static, E: Send + 'static>(
    calls: impl Iterator<Item = impl Future<Output = Result<T, E>> + Send + 'static>,
) -> (usize, Vec<E>) {
    let mut all = JoinSet::new();
    for call in calls {
        all.spawn(call);
    }
    let (mut won, mut lost) = (0, Vec::new());
    for outcome in all.join_all().await {
        match outcome {
            Ok(_) => won += 1,
            Err(error) => lost.push(error),
        }
    }
    (won, lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_registrations_of_one_device_one_wins() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let prop = cast.device().await?;
        let code = cast.shows_code(prop.id).await?;
        let mut installers = Vec::new();
        for place in 0..64 {
            installers.push(cast.installer(&format!("i{place}@example.com")).await?);
        }
        let calls = installers.into_iter().enumerate().map(|(place, by)| {
            let cast = cast.clone();
            async move {
                let claim = Cast::claim(prop, code, &format!("villa-{place}"), &format!("c{place}@example.com"));
                let network = std::net::IpAddr::from([192, 0, 2, u8::try_from(place).unwrap()]).into();
                register::save(cast.kits(), &by, &network, &claim, None, Language::En).await
            }
        });
        let (won, lost) = winners(calls).await;
        let words: Vec<_> = lost.iter().map(RegisterRefusal::word).collect();
        assert_eq!(won, 1, "{words:?}");
        assert!(words.iter().all(|word| ["taken", "no_on_site_code"].contains(word)), "{words:?}");
        assert_eq!(cast.count("SELECT count(*) FROM registration").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM user_account").await?, 65);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_web_address_goes_to_one_device() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let marc = cast.installer("marc@example.com").await?;
        let mut claims = Vec::new();
        for place in 0..8 {
            let prop = cast.device().await?;
            let code = cast.shows_code(prop.id).await?;
            claims.push(Cast::claim(prop, code, "villa-rosa", &format!("c{place}@example.com")));
        }
        let calls = claims.into_iter().map(|claim| {
            let (cast, marc) = (cast.clone(), marc.clone());
            async move { register::save(cast.kits(), &marc, &network(), &claim, None, Language::En).await }
        });
        let (won, lost) = winners(calls).await;
        assert_eq!(won, 1);
        assert!(lost.iter().all(|refusal| refusal.word() == "web_address_in_use"), "{lost:?}");
        // Whoever lost was not left half registered.
        assert_eq!(cast.count("SELECT count(*) FROM device WHERE life = 'registered'").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM device WHERE life = 'enrolled'").await?, 7);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_confirmations_one_wins() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let cast = Arc::new(cast);
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let (link, rosa) = (cast.link(registration).await?, cast.user("rosa@example.com").await?);
        let calls = (0..64).map(|_| {
            let (cast, link, rosa) = (cast.clone(), link.clone(), rosa.clone());
            async move { confirm::confirm(cast.kits(), &rosa, &link, Cast::confirmation(Consent::Ask)).await }
        });
        let (won, lost) = winners(calls).await;
        assert_eq!(won, 1);
        assert!(lost.iter().all(|refusal| matches!(refusal, ConfirmRefusal::Link(LinkFault::Used))), "{lost:?}");
        assert_eq!(cast.count("SELECT count(*) FROM audit_row WHERE what = 'device_activated'").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM organisation WHERE kind = 'customer'").await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_each_link_says_where_it_stands() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let rosa = cast.user("rosa@example.com").await?;
        let fault = |outcome: Result<_, ConfirmRefusal>| match outcome {
            Err(ConfirmRefusal::Link(fault)) => fault,
            other => panic!("{other:?}"),
        };

        let first = cast.link(registration).await?;
        for _ in 0..50 {
            assert_eq!(confirm::look(kits, &first).await?.web_address.as_str(), "villa-rosa");
        }
        let second = cast.link(registration).await?;
        assert_eq!(fault(confirm::look(kits, &first).await), LinkFault::Superseded);
        let confirmed = confirm::confirm(kits, &rosa, &first, Cast::confirmation(Consent::Ask)).await;
        assert_eq!(fault(confirmed), LinkFault::Superseded);

        cast.pass(72 * 3600);
        let expired = confirm::confirm(kits, &rosa, &second, Cast::confirmation(Consent::Ask)).await;
        assert_eq!(fault(expired), LinkFault::Expired);
        assert!(LinkFault::Expired.sentence().contains("ask your installer"));

        let third = cast.link(registration).await?;
        let stranger = cast.installer("eve@example.com").await?;
        let wrong = confirm::confirm(kits, stranger.signed_in(), &third, Cast::confirmation(Consent::Ask)).await;
        assert!(matches!(wrong, Err(ConfirmRefusal::State(Refusal::AnotherAccount))), "{wrong:?}");
        // The link stays good for whom it was sent to.
        confirm::confirm(kits, &rosa, &third, Cast::confirmation(Consent::Ask)).await?;
        assert_eq!(fault(confirm::look(kits, &third).await), LinkFault::Used);
        let unknown = gatelodge_cloud::accounts::tokens::Secret::make(&Random::seeded(9));
        assert_eq!(fault(confirm::look(kits, &unknown).await), LinkFault::Unknown);
    }
    Ok(())
}

#[tokio::test]
async fn confirming_tells_both_organisations_and_the_device() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Always).await?;
        let expected = ["device_registered", "device_activated"];
        for organisation in [marc.member().organisation_id, rosa.member().organisation_id] {
            let mut history = cast.history(organisation, prop.id).await?;
            history.retain(|what| expected.contains(&what.as_str()));
            assert_eq!(history, expected);
        }
        assert_eq!(rosa.member().organisation_name, "Rosa Bianchi");
        let told = cast.orders(prop.id).await?;
        let state = told.iter().find_map(|order| if let Order::State(state) = order { Some(state) } else { None });
        let state = state.expect("the device is told");
        assert_eq!((state.life, state.consent), (Life::Active, Consent::Always));
        assert_eq!(state.customer.as_deref(), Some("Rosa Bianchi"));
        assert!(state.installer.is_some());
        assert!(cast.jobs().await?.contains(&"activation.mail_activated_customer".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn a_mistyped_address_is_corrected_and_the_old_link_is_void() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rossa@example.com").await?;
        let old = cast.link(registration).await?;
        let rosa = Cast::email("rosa@example.com");
        amend::correct_email(kits, &marc, prop.id, rosa.clone(), Language::En).await?;
        let looked = confirm::look(kits, &old).await;
        assert!(matches!(looked, Err(ConfirmRefusal::Link(LinkFault::Superseded))), "{looked:?}");
        let same = amend::correct_email(kits, &marc, prop.id, rosa, Language::En).await;
        assert!(matches!(same, Err(AmendRefusal::SameAddress)), "{same:?}");
        cast.confirms(registration, "rosa@example.com", Consent::Ask).await?;
        let late = amend::resend(kits, &marc, prop.id).await;
        assert!(matches!(late, Err(AmendRefusal::State(Refusal::AlreadyActive))), "{late:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cancelled_registration_frees_device_and_web_address() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let prop = cast.device().await?;
        let registration = cast.registers(&marc, prop, "villa-rosa", "rosa@example.com").await?;
        let link = cast.link(registration).await?;
        assert!(matches!(amend::cancel(kits, &lena, prop.id).await, Err(AmendRefusal::Unknown)));
        amend::cancel(kits, &marc, prop.id).await?;
        let rosa = cast.user("rosa@example.com").await?;
        let late = confirm::confirm(kits, &rosa, &link, Cast::confirmation(Consent::Ask)).await;
        assert!(matches!(late, Err(ConfirmRefusal::Link(_))), "{late:?}");
        assert!(service::one(kits, marc.member(), prop.id).await?.is_none());
        cast.registers(&lena, prop, "villa-rosa", "rosa@example.com").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_customer_alone_changes_rule_and_web_address() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let marc = cast.installer("marc@example.com").await?;
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let (other, paul) = cast.active(&marc, "villa-paul", "paul@example.com", Consent::Ask).await?;
        assert!(rule::set_consent(kits, &paul, prop.id, Consent::Always).await.is_err());
        rule::set_consent(kits, &rosa, prop.id, Consent::Never).await?;
        let view = service::one(kits, rosa.member(), prop.id).await?.unwrap();
        assert_eq!(view.consent, Consent::Never);
        assert!(cast.history(marc.member().organisation_id, prop.id).await?.contains(&"consent_changed".to_owned()));
        let in_use = rule::set_web_address(kits, &paul, other.id, "villa-rosa".parse()?).await.unwrap_err();
        assert!(in_use.to_string().contains("in use"), "{in_use}");
        rule::set_web_address(kits, &paul, other.id, "casa-paul".parse()?).await?;
        assert_eq!(service::one(kits, paul.member(), other.id).await?.unwrap().web_address.as_str(), "casa-paul");
    }
    Ok(())
}

#[tokio::test]
async fn release_voids_everything_and_the_next_owner_sees_nothing_of_the_last() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let kits = cast.kits();
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let (prop, rosa) = cast.active(&marc, "villa-rosa", "rosa@example.com", Consent::Ask).await?;
        let wrong = release::release(kits, &rosa, prop.id, "villa-blu").await;
        assert!(matches!(wrong, Err(ReleaseRefusal::NotTheName(_))), "{wrong:?}");
        release::release(kits, &rosa, prop.id, " Villa-Rosa ").await?;
        let again = release::release(kits, &rosa, prop.id, "villa-rosa").await;
        assert!(matches!(again, Err(ReleaseRefusal::Unknown)), "{again:?}");
        for member in [marc.member(), rosa.member()] {
            assert!(service::one(kits, member, prop.id).await?.is_none());
        }
        assert_eq!(cast.count("SELECT count(*) FROM certificate WHERE state = 'current'").await?, 0);
        assert_eq!(cast.count("SELECT epoch FROM device").await?, 2);

        // The key enrols anew; the same hardware starts over under the next owner.
        cast.lets_in(prop.id).await?;
        let registration = cast.registers(&lena, prop, "villa-rosa", "nora@example.com").await?;
        let nora = cast.confirms(registration, "nora@example.com", Consent::Always).await?;
        for organisation in [lena.member().organisation_id, nora.member().organisation_id] {
            let history = cast.history(organisation, prop.id).await?;
            assert!(!history.contains(&"device_released".to_owned()), "{history:?}");
            assert_eq!(history.iter().filter(|what| *what == "device_registered").count(), 1, "{history:?}");
        }
        let view = service::one(kits, nora.member(), prop.id).await?.unwrap();
        assert!(view.report.is_none(), "the last owner's network is forgotten");
        // The last owner keeps their own history and nothing newer.
        let history = cast.history(rosa.member().organisation_id, prop.id).await?;
        assert_eq!(history.iter().filter(|what| *what == "device_activated").count(), 1, "{history:?}");
    }
    Ok(())
}
