//! Signing in: the wrong pair, the growing pause, known browsers, new ids, idle and absolute limits, switching.

use std::{net::IpAddr, time::Duration};

use gatelodge_cloud::{
    accounts::{
        model::{Member, Network, PostalAddress},
        portal_session::{self, Browser},
        service::{self, FirstPassword, create_vendor},
        sign_in::{self, Arrival, Credentials, Progress, SignInRefusal, Welcome},
        tokens::Secret,
    },
    i18n::Language,
    kits::Kits,
};
use gatelodge_proto::identity::EmailAddress;
use gatelodge_tests::kits::TestKits;

pub(super) const PASSWORD: &str = "copper kettle under seven";

pub(super) fn email(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

pub(super) fn network(text: &str) -> Network {
    text.parse::<IpAddr>().unwrap().into()
}

fn browser(from: &str) -> Browser {
    Browser { user_agent: "Test/1".into(), network: network(from) }
}

/// A vendor's user with [`PASSWORD`].
pub(super) async fn vendor(kits: &Kits, address: &str) -> anyhow::Result<Member> {
    let address = email(address);
    create_vendor(kits, &address, "Vera Vendor", Language::En, FirstPassword::Given(PASSWORD)).await?;
    let welcome = try_sign_in(kits, address.as_str(), PASSWORD, "198.51.100.250", None).await?.unwrap();
    Ok(welcome.member)
}

async fn try_sign_in(
    kits: &Kits,
    address: &str,
    password: &str,
    from: &str,
    known: Option<&Secret>,
) -> anyhow::Result<Result<Welcome, SignInRefusal>> {
    let (email, browser) = (email(address), browser(from));
    let arrival = Arrival { browser: &browser, known, previous: None };
    let progress = sign_in::sign_in(kits, &Credentials { email: &email, password, arrival }).await?;
    Ok(progress.map(done))
}

/// All the way in: nobody here has a second factor.
fn done(progress: Progress) -> Welcome {
    match progress {
        Progress::Done(welcome) => welcome,
        Progress::SecondStep(_) => panic!("a second factor is asked for"),
    }
}

#[tokio::test]
async fn nobody_learns_which_addresses_are_known() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        vendor(&test.kits, "vera@vendor.example").await?;
        for address in ["vera@vendor.example", "nobody@vendor.example"] {
            let mut answers = Vec::new();
            for _ in 0..12 {
                let answer = try_sign_in(&test.kits, address, "wrong password 123", "192.0.2.1", None).await?;
                answers.push(answer.err().unwrap());
            }
            assert_eq!(answers[..10], [SignInRefusal::WrongPair; 10], "{address}");
            assert!(matches!(answers[11], SignInRefusal::Throttled(_)), "{address}: {answers:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn wrong_passwords_cost_a_growing_pause_that_strangers_cannot_make_for_the_owner() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        vendor(kits, "vera@vendor.example").await?;
        let own = try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", None).await?.unwrap();
        let attack = async |password: &str| {
            try_sign_in(kits, "vera@vendor.example", password, "192.0.2.1", None).await.unwrap().map(drop)
        };
        for _ in 0..10 {
            assert_eq!(attack("wrong password 123").await, Err(SignInRefusal::WrongPair));
        }
        let Err(SignInRefusal::Throttled(first)) = attack(PASSWORD).await else { panic!("no pause") };
        assert_eq!(first.0, Duration::from_secs(15), "even the right password waits");

        test.pass(Duration::from_secs(15));
        assert_eq!(attack("wrong password 123").await, Err(SignInRefusal::WrongPair));
        let Err(SignInRefusal::Throttled(second)) = attack("wrong password 123").await else { panic!("no pause") };
        assert_eq!(second.0, Duration::from_secs(30));

        let elsewhere = try_sign_in(kits, "vera@vendor.example", PASSWORD, "203.0.113.5", None).await?;
        assert!(elsewhere.is_ok(), "another network does not wait");
        let known = try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", Some(&own.known)).await?;
        assert!(known.is_ok(), "a known browser does not wait");

        test.pass(Duration::from_secs(30));
        assert_eq!(attack(PASSWORD).await, Ok(()));
        assert_eq!(attack("wrong password 123").await, Err(SignInRefusal::WrongPair), "the count begins anew");
    }
    Ok(())
}

#[tokio::test]
async fn guesses_at_the_same_time_all_count() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        vendor(&test.kits, "vera@vendor.example").await?;
        let mut guesses = tokio::task::JoinSet::new();
        for _ in 0..24 {
            let kits = test.kits.clone();
            guesses.spawn(async move {
                try_sign_in(&kits, "vera@vendor.example", "wrong password 123", "192.0.2.1", None).await.unwrap()
            });
        }
        let looked_at = guesses
            .join_all()
            .await
            .into_iter()
            .filter(|answer| matches!(answer, Err(SignInRefusal::WrongPair)))
            .count();
        assert_eq!(looked_at, 10);
    }
    Ok(())
}

#[tokio::test]
async fn a_known_browser_is_known_for_its_own_account_alone() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        vendor(kits, "vera@vendor.example").await?;
        vendor(kits, "victor@vendor.example").await?;
        let own = try_sign_in(kits, "victor@vendor.example", PASSWORD, "192.0.2.1", None).await?.unwrap();
        for _ in 0..10 {
            let answer =
                try_sign_in(kits, "vera@vendor.example", "wrong password 123", "192.0.2.1", Some(&own.known)).await?;
            assert_eq!(answer.err(), Some(SignInRefusal::WrongPair));
        }
        let answer = try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", Some(&own.known)).await?;
        assert!(matches!(answer, Err(SignInRefusal::Throttled(_))));
    }
    Ok(())
}

#[tokio::test]
async fn each_sign_in_has_a_new_id_and_ends_the_one_before() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let member = vendor(kits, "vera@vendor.example").await?;
        let first = try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", None).await?.unwrap();
        let (address, browser) = (email("vera@vendor.example"), browser("192.0.2.1"));
        let arrival = Arrival { browser: &browser, known: None, previous: Some(&first.session) };
        let credentials = Credentials { email: &address, password: PASSWORD, arrival };
        let second = done(sign_in::sign_in(kits, &credentials).await?.unwrap());
        assert_ne!(first.session.hash(), second.session.hash());
        assert!(portal_session::recognise(kits, &first.session).await?.is_none());
        let found = portal_session::recognise(kits, &second.session).await?.unwrap();
        let id = found.id;
        assert_eq!((found.member, found.confirmed_at), (member.clone(), None));

        let listed = portal_session::list(kits, member.user_id).await?;
        assert!(listed.iter().any(|session| session.id == id && session.network == "192.0.2.1"));
        portal_session::end_others(kits, &member, id).await?;
        assert_eq!(portal_session::list(kits, member.user_id).await?.len(), 1);
        portal_session::end(kits, &second.session).await?;
        assert!(portal_session::recognise(kits, &second.session).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn nobody_ends_a_browser_of_somebody_else() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let victor = vendor(kits, "victor@vendor.example").await?;
        let own = portal_session::list(kits, vera.user_id).await?.remove(0).id;
        assert!(!portal_session::end_one(kits, &victor, own).await?);
        assert!(portal_session::end_one(kits, &vera, own).await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_browser_is_signed_out_when_unused_and_at_the_end_of_the_day() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        vendor(kits, "vera@vendor.example").await?;
        let sign_in = async || {
            try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", None).await.unwrap().unwrap().session
        };
        let unused = sign_in().await;
        test.pass(Duration::from_secs(15 * 60 - 1));
        assert!(portal_session::recognise(kits, &unused).await?.is_some(), "seen just in time");
        test.pass(Duration::from_secs(15 * 60));
        assert!(portal_session::recognise(kits, &unused).await?.is_none());

        let used = sign_in().await;
        for _ in 0..47 {
            test.pass(Duration::from_secs(10 * 60));
            assert!(portal_session::recognise(kits, &used).await?.is_some());
        }
        test.pass(Duration::from_secs(10 * 60));
        assert!(portal_session::recognise(kits, &used).await?.is_none(), "eight hours are over");
    }
    Ok(())
}

#[tokio::test]
async fn a_user_of_two_organisations_switches_under_a_new_id_and_nowhere_else() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let victor = vendor(kits, "victor@vendor.example").await?;
        let (now, random) = (kits.now(), &kits.random);
        let nowhere = PostalAddress::default();
        let mut tx = kits.db.write().await?;
        let own = service::create_customer_organisation(&mut tx, now, random, vera.user_id, "Vera", &nowhere).await?;
        let foreign =
            service::create_customer_organisation(&mut tx, now, random, victor.user_id, "Victor", &nowhere).await?;
        tx.commit().await?;
        let session = try_sign_in(kits, "vera@vendor.example", PASSWORD, "192.0.2.1", None).await?.unwrap().session;

        assert!(portal_session::switch(kits, &session, foreign).await?.is_none());
        let switched = portal_session::switch(kits, &session, own).await?.unwrap();
        assert!(portal_session::recognise(kits, &session).await?.is_none());
        let member = portal_session::recognise(kits, &switched).await?.unwrap().member;
        assert_eq!(member.organisation_id, own);
    }
    Ok(())
}

#[tokio::test]
async fn a_vendor_is_made_once_with_a_link_or_a_password() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let address = email("vera@vendor.example");
        let link = create_vendor(kits, &address, "Vera", Language::Fr, FirstPassword::Link).await?;
        assert!(link.is_some());
        let refusal = async |address: &str, password: FirstPassword<'_>| {
            let refused = create_vendor(kits, &email(address), "Vera", Language::Fr, password).await;
            refused.unwrap_err().to_string()
        };
        let taken = refusal("VERA@vendor.example", FirstPassword::Link).await;
        assert!(taken.contains("is a user already"), "{taken}");
        let weak = refusal("v@vendor.example", FirstPassword::Given("short")).await;
        assert!(weak.contains("at least 12 characters"), "{weak}");
    }
    Ok(())
}
