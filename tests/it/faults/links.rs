//! An activation link under many hands and many robots.

use futures_util::future::join_all;
use gatelodge_cloud::run;
use gatelodge_proto::payload::Consent;
use gatelodge_tests::{
    agent::AgentSetup,
    browser::Setup,
    cloud::{CloudSetup, TestCloud},
    mailbox::Mailbox,
    portal::Hands,
    story::{self, CUSTOMER, Mails, Stage},
    wait::wait_until,
};
use http::StatusCode;

use crate::{cast, doors::Knock};

const CONFIRMATION: &str = r#"{"name":"Rosa Blanc","phone":"+33 4 50 00 00 00","address":"12 rue","postcode":"69003",
    "city":"Lyon","country":"France"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_calls_with_one_link_one_is_answered_with_the_device() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let marc = cast.installer("marc@example.com").await?;
        let registration = cast.registers(&marc, cast.device().await?, "villa-rosa", "rosa@example.com").await?;
        let link = cast.link(registration).await?.expose();
        // What a robot does with a link: fifty looks, by both methods.
        for method in ["GET", "HEAD"].repeat(25) {
            for path in [format!("/activate?token={link}"), "/activate".into(), "/activate/confirm".into()] {
                let answer = Knock::by_nobody(&cast).at(method, &path, "", "", "").await?;
                assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.status);
            }
        }
        assert_eq!(cast.count("SELECT count(*) FROM registration WHERE state = 'open'").await?, 1);

        let rosa = cast.user("rosa@example.com").await?;
        let calls = (0..64).map(|_| async {
            let knock = Knock::by(&cast, &rosa).await?;
            let body = format!(r#"{{"token":"{link}","consent":"{}","customer":{CONFIRMATION}}}"#, Consent::Ask.word());
            let answer = knock.at("POST", "/api/v1/activations", "application/json", &body, "").await?;
            Ok::<_, anyhow::Error>((answer.status, answer.body))
        });
        let answers: Vec<_> = join_all(calls).await.into_iter().collect::<Result<_, _>>()?;
        let won = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
        assert_eq!(won, 1, "{answers:?}");
        let late = |(status, _): &(StatusCode, String)| [StatusCode::OK, StatusCode::GONE].contains(status);
        assert!(answers.iter().all(late), "{answers:?}");
        assert_eq!(cast.count("SELECT count(*) FROM audit_row WHERE what = 'device_activated'").await?, 1);
        assert_eq!(cast.count("SELECT count(*) FROM organisation WHERE kind = 'customer'").await?, 1);
    }
    Ok(())
}

/// As mail scanners do: a browser with scripts loads the page, and nobody presses anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_only_loads_the_link_uses_nothing_up() -> anyhow::Result<()> {
    let mailbox = Mailbox::start().await?;
    let cloud = TestCloud::start(CloudSetup::default().mailing_to(&mailbox)).await?;
    let folder = tempfile::tempdir()?;
    let mails = Mails::Caught(mailbox);
    let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), AgentSetup::default()).await?;
    story::play_until(&mut stage, 3, |_| {}).await?;
    let link = stage.mails.link(CUSTOMER, "/activate").await?;
    let Some(mut scanner) = Hands::browser(&stage.cloud.portal(), Setup::default()).await? else { return Ok(()) };
    let config = gatelodge_cloud::config::Config::load(Some(stage.cloud.config()), [])?;
    let db = gatelodge_cloud::db::Db::open(&config.database).await?;
    let standing = async || -> anyhow::Result<(i64, i64)> {
        let mut tx = db.read().await?;
        let open = run!(&mut tx, c => sqlx::query_scalar("SELECT count(*) FROM registration WHERE state = 'open'")
            .fetch_one(c))?;
        let unused = run!(&mut tx, c => sqlx::query_scalar(
            "SELECT count(*) FROM one_time_token WHERE purpose = 'activation' AND used_at IS NULL",
        )
        .fetch_one(c))?;
        Ok((open, unused))
    };
    let before = standing().await?;
    assert_eq!(before.0, 1);
    assert!(before.1 > 0);
    for _ in 0..3 {
        scanner.open(&link).await?;
        wait_until("the page is there with its button", std::time::Duration::from_secs(90), async || {
            Ok(scanner.actions().await?.iter().any(|action| action == "/activate").then_some(()))
        })
        .await?;
    }
    assert_eq!(standing().await?, before);
    db.close().await;
    Ok(())
}
