//! Second factors on both databases: an app's codes are good once, recovery codes too, the password alone opens nothing
//! any more, and what stood between two steps falls with the password.

use axum::extract::FromRequestParts as _;
use gatelodge_cloud::{
    accounts::{
        SignedIn,
        model::Member,
        portal_session::{self, Browser},
        recover,
        second_factor::{self, AppSecret, FactorRefusal, Proof, Proven, RecoveryCode, SecondFactorNeeded},
        second_step,
        service::{FirstPassword, create_vendor},
        sign_in::{self, Arrival, Credentials, Progress, Welcome},
        tokens::{self, Purpose, Secret},
    },
    audit,
    config::SecondFactor,
    i18n::Language,
    kits::Kits,
    run,
};
use gatelodge_proto::identity::EmailAddress;
use gatelodge_tests::kits::TestKits;

const VERA: &str = "vera@vendor.example";
const PASSWORD: &str = "copper kettle under seven";

fn browser() -> Browser {
    Browser { user_agent: "Test/1".into(), network: crate::cast::network() }
}

async fn enters(kits: &Kits) -> anyhow::Result<Progress> {
    let (email, browser): (EmailAddress, _) = (VERA.parse()?, browser());
    let arrival = Arrival { browser: &browser, known: None, previous: None };
    Ok(sign_in::sign_in(kits, &Credentials { email: &email, password: PASSWORD, arrival }).await??)
}

async fn in_at_once(kits: &Kits) -> anyhow::Result<Welcome> {
    match enters(kits).await? {
        Progress::Done(welcome) => Ok(welcome),
        Progress::SecondStep(_) => anyhow::bail!("a second factor is asked for"),
    }
}

async fn step(kits: &Kits) -> anyhow::Result<Secret> {
    match enters(kits).await? {
        Progress::SecondStep(step) => Ok(step),
        Progress::Done(_) => anyhow::bail!("no second factor is asked for"),
    }
}

async fn by_code(kits: &Kits, step: &Secret, code: &str) -> anyhow::Result<Result<Welcome, FactorRefusal>> {
    let browser = browser();
    let arrival = Arrival { browser: &browser, known: None, previous: None };
    Ok(second_step::by_code(kits, step, code, &arrival).await?)
}

async fn signed_in(kits: &Kits, session: &Secret) -> anyhow::Result<SignedIn> {
    let cookie = format!("{}={}", portal_session::COOKIE, session.expose());
    let (mut parts, ()) = http::Request::get("/my-data").header("cookie", cookie).body(())?.into_parts();
    SignedIn::from_request_parts(&mut parts, kits).await.map_err(|nobody| anyhow::anyhow!("{nobody:?}"))
}

async fn proven(kits: &Kits, session: &Secret) -> anyhow::Result<Proven> {
    let cookie = format!("{}={}", portal_session::COOKIE, session.expose());
    let (mut parts, ()) = http::Request::post("/my-data").header("cookie", cookie).body(())?.into_parts();
    Proven::from_request_parts(&mut parts, kits).await.map_err(|why| anyhow::anyhow!("{why:?}"))
}

/// A vendor's user with an app, signed in where it was set up.
async fn with_app(kits: &Kits) -> anyhow::Result<(Member, Secret, AppSecret, Vec<RecoveryCode>)> {
    create_vendor(kits, &VERA.parse()?, "Vera", Language::En, FirstPassword::Given(PASSWORD)).await?;
    let welcome = in_at_once(kits).await?;
    let by = proven(kits, &welcome.session).await?;
    let app = second_factor::begin_app(kits, &by).await?;
    let wrong = second_factor::add_app(kits, &by, &app, "000000").await?;
    assert_eq!(wrong, Err(FactorRefusal::WrongCode));
    let codes = second_factor::add_app(kits, &by, &app, &app.secret.code(kits.now())).await??;
    assert_eq!(codes.len(), 10);
    let again = second_factor::add_app(kits, &by, &app, &app.secret.code(kits.now())).await?;
    assert_eq!(again, Err(FactorRefusal::Stale), "a ceremony ends once");
    Ok((welcome.member, welcome.session, app.secret, codes))
}

async fn told(kits: &Kits, member: &Member) -> anyhow::Result<Vec<String>> {
    let mut tx = kits.db.read().await?;
    let rows = audit::read(&mut tx, member.organisation_id, None, None, 50).await?;
    Ok(rows.into_iter().map(|row| row.what).collect())
}

#[tokio::test]
async fn a_code_of_the_app_is_asked_for_and_good_once() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let (member, _, secret, _) = with_app(kits).await?;
        let first = step(kits).await?;
        let used = secret.code(kits.now());
        assert_eq!(by_code(kits, &first, &used).await?.err(), Some(FactorRefusal::WrongCode), "setting up used it");
        test.pass(std::time::Duration::from_secs(30));
        let code = secret.code(kits.now());
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let welcome = by_code(kits, &first, &spaced).await??;
        assert_eq!(by_code(kits, &first, &code).await?.err(), Some(FactorRefusal::Stale), "a step is taken once");
        let other = step(kits).await?;
        assert_eq!(by_code(kits, &other, &code).await?.err(), Some(FactorRefusal::WrongCode), "a code is good once");
        let by = signed_in(kits, &welcome.session).await?;
        assert_eq!((by.member().user_id, by.confirmed_at()), (member.user_id, Some(kits.now())));

        let mut tx = kits.db.read().await?;
        let sealed =
            run!(&mut tx, c => sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM authenticator_app").fetch_one(c))?;
        let plain = secret.text().replace(' ', "");
        assert!(sealed.len() > 20 && !plain.is_empty() && sealed.len() == 12 + 20 + 16, "nonce, secret, tag");
        drop(tx);
        assert!(told(kits, &member).await?.contains(&"second_factor_added".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn of_many_with_one_recovery_code_one_gets_in() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let (member, _, _, codes) = with_app(&test.kits).await?;
        let mut steps = Vec::new();
        for _ in 0..6 {
            steps.push(step(&test.kits).await?);
        }
        let mut tries = tokio::task::JoinSet::new();
        for step in steps {
            let (kits, code) = (test.kits.clone(), codes[0].to_string());
            tries.spawn(async move { by_code(&kits, &step, &code).await.ok().and_then(Result::ok).is_some() });
        }
        let entered = tries.join_all().await.into_iter().filter(|entered| *entered).count();
        assert_eq!(entered, 1);
        let known = second_factor::factors(&test.kits, member.user_id).await?;
        assert_eq!(known.recovery_codes, 9);
        assert!(told(&test.kits, &member).await?.contains(&"recovery_code_used".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn wrong_codes_meet_a_pause_that_right_ones_share() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let (.., secret, _) = with_app(kits).await?;
        test.pass(std::time::Duration::from_secs(60));
        let step = step(kits).await?;
        let mut last = None;
        for _ in 0..12 {
            last = by_code(kits, &step, "000000").await?.err();
        }
        assert!(matches!(last, Some(FactorRefusal::Throttled(_))), "{last:?}");
        let right = by_code(kits, &step, &secret.code(kits.now())).await?.err();
        assert!(matches!(right, Some(FactorRefusal::Throttled(_))), "the pause does not tell right from wrong");
        test.pass(std::time::Duration::from_secs(60));
        by_code(kits, &step, &secret.code(kits.now())).await??;
    }
    Ok(())
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let (member, _, secret, _) = with_app(kits).await?;
        test.pass(std::time::Duration::from_secs(60));
        let step = step(kits).await?;
        let mut tx = kits.db.write().await?;
        let (purpose, subject) = (Purpose::SetPassword, member.user_id.uuid());
        let link = tokens::issue(&mut tx, kits.now(), &kits.random, purpose, subject, purpose.life()).await?;
        tx.commit().await?;
        recover::set_password(kits, &link, "seven kettles over copper").await??;
        let late = by_code(kits, &step, &secret.code(kits.now())).await?.err();
        assert_eq!(late, Some(FactorRefusal::Stale));
        assert!(second_factor::factors(kits, member.user_id).await?.any(), "the second factor stays");
    }
    Ok(())
}

#[tokio::test]
async fn changes_of_factors_ask_for_a_fresh_proof_and_the_last_one_takes_its_trust_along() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let (member, session, secret, _) = with_app(kits).await?;
        // In two halves, as a browser that is not used at all is signed out.
        test.pass(std::time::Duration::from_secs(8 * 60));
        signed_in(kits, &session).await?;
        test.pass(std::time::Duration::from_secs(8 * 60));
        assert!(proven(kits, &session).await.is_err(), "a browser that was left open changes nothing");
        let by = signed_in(kits, &session).await?;
        let by_password = second_factor::by_password(kits, &by, PASSWORD).await?;
        assert_eq!(by_password, Err(FactorRefusal::Stale), "the password is not enough where there is more");
        second_factor::by_code(kits, &by, &secret.code(kits.now())).await??;
        let by = proven(kits, &session).await?;
        second_factor::remove_app(kits, &by).await??;
        let left = second_factor::factors(kits, member.user_id).await?;
        assert_eq!((left.any(), left.recovery_codes), (false, 0));
        assert_eq!(signed_in(kits, &session).await?.confirmed_at(), None);
        in_at_once(kits).await?;
    }
    Ok(())
}

#[tokio::test]
async fn sessions_ask_for_a_second_factor_of_the_last_hours() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let mut kits = test.kits.clone();
        let (_, session, ..) = with_app(&kits).await?;
        let needed = async |kits: &Kits| -> anyhow::Result<Option<SecondFactorNeeded>> {
            let by = signed_in(kits, &session).await?;
            Ok(second_factor::check(&mut kits.db.read().await?, kits, &by).await?.err())
        };
        assert_eq!(needed(&kits).await?, None);
        // The browser's own limit is shorter than the hours: a program that was let in at this moment shows the rule.
        let by = signed_in(&kits, &session).await?;
        let (token, _) = gatelodge_cloud::accounts::api_token::make(&kits, by.member(), "x", by.confirmed_at()).await?;
        let program = async |kits: &Kits| -> anyhow::Result<SignedIn> {
            let (mut parts, ()) = http::Request::get("/api/v1/me")
                .header("authorization", format!("Bearer {}", token.expose()))
                .body(())?
                .into_parts();
            SignedIn::from_request_parts(&mut parts, kits).await.map_err(|nobody| anyhow::anyhow!("{nobody:?}"))
        };
        test.pass(std::time::Duration::from_secs(12 * 3_600 - 1));
        let by = program(&kits).await?;
        assert_eq!(second_factor::check(&mut kits.db.read().await?, &kits, &by).await?, Ok(()));
        test.pass(std::time::Duration::from_secs(1));
        let by = program(&kits).await?;
        let refused = second_factor::check(&mut kits.db.read().await?, &kits, &by).await?;
        assert_eq!(refused, Err(SecondFactorNeeded::NotConfirmed(12)));

        assert!(second_factor::remove_all(&kits, &VERA.parse()?).await?, "the operator helps who has lost everything");
        let by = program(&kits).await?;
        assert_eq!(second_factor::check(&mut kits.db.read().await?, &kits, &by).await?, Ok(()));
        let mut config = gatelodge_cloud::config::Config::clone(&kits.config);
        config.sessions.second_factor = SecondFactor::Required;
        kits.config = std::sync::Arc::new(config);
        let refused = second_factor::check(&mut kits.db.read().await?, &kits, &by).await?;
        assert_eq!(refused, Err(SecondFactorNeeded::NotSetUp));
        assert_eq!(Proof::App.word(), "app");
    }
    Ok(())
}
