//! Programs: sign-in by a person's approval (RFC 8628), tokens, and what each poll hears.

use std::time::Duration;

use gatelodge_cloud::{
    accounts::{
        api_token::{self, BearerToken},
        program_sign_in::{self, Decision, PollRefusal, Started, UserCode},
    },
    kits::Kits,
};
use gatelodge_tests::kits::TestKits;
use tokio::task::JoinSet;

use super::people::{network, vendor};

const STEP: Duration = program_sign_in::INTERVAL;

async fn start(kits: &Kits) -> anyhow::Result<Started> {
    Ok(program_sign_in::start(kits, &network("192.0.2.9")).await?.unwrap())
}

async fn poll(kits: &Kits, started: &Started) -> Result<BearerToken, PollRefusal> {
    program_sign_in::poll(kits, &started.device_code).await.unwrap().map(|granted| granted.token)
}

#[tokio::test]
async fn an_approved_program_gets_one_token_that_speaks_for_its_user() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let started = start(kits).await?;
        assert_eq!(poll(kits, &started).await.err(), Some(PollRefusal::Pending));

        let asked = program_sign_in::look_up(kits, &vera, &started.user_code).await?.unwrap().unwrap();
        assert_eq!((asked.network.as_str(), asked.asked_at), ("192.0.2.9", kits.now()));
        assert!(program_sign_in::decide(kits, &vera, &started.user_code, Decision::Approve, None).await?);
        assert!(
            !program_sign_in::decide(kits, &vera, &started.user_code, Decision::Refuse, None).await?,
            "it is decided"
        );
        assert_eq!(program_sign_in::look_up(kits, &vera, &started.user_code).await?.unwrap(), None);

        test.pass(STEP);
        let token = poll(kits, &started).await.unwrap();
        test.pass(STEP);
        assert_eq!(poll(kits, &started).await.err(), Some(PollRefusal::Expired), "a second token is not given");

        let (member, id, _) = api_token::recognise(kits, &token).await?.unwrap();
        assert_eq!(member, vera);
        let listed = api_token::list(kits, vera.user_id).await?;
        assert_eq!(listed[0].label, "gatelodge (192.0.2.9)");

        let victor = vendor(kits, "victor@vendor.example").await?;
        assert!(!api_token::revoke(kits, &victor, id).await?, "somebody else's token");
        assert!(api_token::revoke(kits, &vera, id).await?);
        assert!(api_token::recognise(kits, &token).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_token_lapses_after_thirty_days() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let mut tx = kits.db.write().await?;
        let (token, expires_at) = api_token::issue(&mut tx, kits, kits.now(), &vera, "script", None).await?;
        tx.commit().await?;
        assert_eq!(expires_at.since(kits.now()), Duration::from_secs(30 * 86_400));
        test.pass(Duration::from_secs(30 * 86_400 - 1));
        assert!(api_token::recognise(kits, &token).await?.is_some());
        test.pass(Duration::from_secs(1));
        assert!(api_token::recognise(kits, &token).await?.is_none());
        assert!(api_token::list(kits, vera.user_id).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn impatient_late_refused_and_unknown_programs_hear_why() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;

        let impatient = start(kits).await?;
        assert_eq!(poll(kits, &impatient).await.err(), Some(PollRefusal::Pending));
        test.pass(Duration::from_secs(2));
        assert_eq!(poll(kits, &impatient).await.err(), Some(PollRefusal::SlowDown));
        test.pass(STEP);
        assert_eq!(poll(kits, &impatient).await.err(), Some(PollRefusal::Pending));

        let refused = start(kits).await?;
        assert!(program_sign_in::decide(kits, &vera, &refused.user_code, Decision::Refuse, None).await?);
        assert_eq!(poll(kits, &refused).await.err(), Some(PollRefusal::Denied));

        let late = start(kits).await?;
        test.pass(program_sign_in::LIFE);
        assert_eq!(poll(kits, &late).await.err(), Some(PollRefusal::Expired));
        assert!(!program_sign_in::decide(kits, &vera, &late.user_code, Decision::Approve, None).await?);

        let unknown: UserCode = "BCDF-GHJK".parse()?;
        assert_eq!(program_sign_in::look_up(kits, &vera, &unknown).await?.unwrap(), None);
    }
    Ok(())
}

#[tokio::test]
async fn whose_approver_has_left_gets_no_token() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let started = start(kits).await?;
        assert!(program_sign_in::decide(kits, &vera, &started.user_code, Decision::Approve, None).await?);
        let mut tx = kits.db.write().await?;
        gatelodge_cloud::change!(&mut tx, c => sqlx::query("DELETE FROM membership WHERE user_id = $1")
            .bind(vera.user_id.uuid())
            .execute(c))?;
        tx.commit().await?;
        assert_eq!(poll(kits, &started).await.err(), Some(PollRefusal::Denied));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_polls_at_once_one_gets_the_token() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let started = start(kits).await?;
        assert!(program_sign_in::decide(kits, &vera, &started.user_code, Decision::Approve, None).await?);
        let mut polls = JoinSet::new();
        for _ in 0..24 {
            let (kits, code) = (kits.clone(), started.device_code.clone());
            polls.spawn(async move { program_sign_in::poll(&kits, &code).await.unwrap().is_ok() });
        }
        let given = polls.join_all().await.into_iter().filter(|given| *given).count();
        assert_eq!(given, 1);
        assert_eq!(api_token::list(kits, vera.user_id).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn codes_cannot_be_tried_out() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let kits = &test.kits;
        let vera = vendor(kits, "vera@vendor.example").await?;
        let code: UserCode = "BCDF-GHJK".parse()?;
        for _ in 0..30 {
            assert!(program_sign_in::look_up(kits, &vera, &code).await?.is_ok());
        }
        assert!(program_sign_in::look_up(kits, &vera, &code).await?.is_err());
        test.pass(Duration::from_secs(600));
        assert!(program_sign_in::look_up(kits, &vera, &code).await?.is_ok());
    }
    Ok(())
}
