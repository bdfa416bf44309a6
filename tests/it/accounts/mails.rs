//! Mails of accounts over a mail server that comes and goes: tried again, handed over once, refused for good.

use std::time::Duration;

use gatelodge_cloud::{
    accounts::{
        self, recover,
        tokens::{self, Purpose, Secret, TokenRefusal},
    },
    config::Mail,
    jobs::{Job, Worker},
    kits::Kits,
    mail::{MailError, Mailer, Message},
};
use gatelodge_tests::{database::Kind, kits::TestKits, mailbox::Mailbox};
use uuid::Uuid;

use super::people::{email, network, vendor};

const VERA: &str = "vera@vendor.example";

/// The same kits with a mail server.
fn over(test: &TestKits, url: String) -> anyhow::Result<Kits> {
    let mut config = test.kits.config.as_ref().clone();
    config.mail = Mail { smtp_url: Some(url), ..config.mail };
    let mailer = Mailer::open(&config.mail, test.kits.db.clone(), test.kits.clock.clone())?;
    Ok(Kits { mailer, config: config.into(), ..test.kits.clone() })
}

pub(super) fn worker(kits: &Kits) -> Worker {
    Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), accounts::jobs(kits))
}

async fn forgotten(kits: &Kits) -> anyhow::Result<()> {
    recover::forgotten(kits, &network("192.0.2.1"), &email(VERA)).await?.unwrap();
    Ok(())
}

async fn dead_letters(kits: &Kits) -> anyhow::Result<Vec<String>> {
    let mut tx = kits.db.read().await?;
    Ok(gatelodge_cloud::run!(&mut tx, c => sqlx::query_scalar::<_, String>(
        "SELECT last_error FROM job WHERE state = 'dead'",
    )
    .fetch_all(c))?)
}

#[tokio::test]
async fn a_mail_that_is_put_off_leaves_later_and_once() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let mailbox = Mailbox::start().await?;
        let kits = over(&test, mailbox.url())?;
        vendor(&kits, VERA).await?;
        mailbox.refuse_next("451 4.7.1 come back later");
        forgotten(&kits).await?;

        let worker = worker(&kits);
        assert_eq!(worker.round().await?, 1);
        assert_eq!(mailbox.mails().len(), 0);
        assert_eq!(worker.round().await?, 0, "not before its pause is over");
        test.pass(Duration::from_secs(5));
        assert_eq!(worker.round().await?, 1);
        test.pass(Duration::from_secs(3_600));
        assert_eq!(worker.round().await?, 0, "it is done");
        let mails = mailbox.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, [VERA]);
        assert!(mails[0].link("/set-password#")?.starts_with("https://localhost:8443/"));
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_three_days_and_no_longer() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let nobody = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let kits = over(&test, format!("smtp://{nobody}"))?;
        vendor(&kits, VERA).await?;
        forgotten(&kits).await?;
        let worker = worker(&kits);
        for _ in 0..72 {
            assert_eq!(worker.round().await?, 1);
            assert!(dead_letters(&kits).await?.is_empty());
            test.pass(Duration::from_secs(3_600));
        }
        assert_eq!(worker.round().await?, 1);
        let dead = dead_letters(&kits).await?;
        assert!(dead[0].starts_with("the mail server does not take the mail now"), "{dead:?}");
        test.pass(Duration::from_secs(3_600));
        assert_eq!(worker.round().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_for_good_is_kept_with_its_reason_and_not_tried_again() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let mailbox = Mailbox::start().await?;
        let kits = over(&test, mailbox.url())?;
        vendor(&kits, VERA).await?;
        mailbox.refuse_next("550 5.1.1 no such mailbox");
        forgotten(&kits).await?;
        let worker = worker(&kits);
        assert_eq!(worker.round().await?, 1);
        test.pass(Duration::from_secs(3_600));
        assert_eq!(worker.round().await?, 0);
        let dead = dead_letters(&kits).await?;
        assert!(dead.len() == 1 && dead[0].contains("no such mailbox"), "{dead:?}");
        assert_eq!(mailbox.mails().len(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_hand_over_that_was_forgotten_bears_the_same_name_and_a_newer_link() -> anyhow::Result<()> {
    for test in TestKits::on_each().await? {
        let mailbox = Mailbox::start().await?;
        let kits = over(&test, mailbox.url())?;
        let vera = vendor(&kits, VERA).await?;
        forgotten(&kits).await?;
        worker(&kits).round().await?;
        // The mail left and the node died before it could say so: the same job comes again.
        let sent = mailbox.mails().remove(0);
        let id = Uuid::try_parse(sent.message_id.trim_matches(['<', '>']).split('@').next().unwrap())?;
        let (_, handler) = accounts::jobs(&kits).into_iter().find(|(kind, _)| kind.ends_with("set_password")).unwrap();
        handler(Job {
            id,
            kind: "accounts.mail_set_password".into(),
            payload: serde_json::json!({ "user": vera.user_id, "installer": null }),
            attempt: 2,
            created_at: kits.now(),
        })
        .await?;

        let mails = mailbox.mails();
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].message_id, mails[1].message_id);
        let state = async |link: &str| {
            let secret: Secret = link.split_once('#').unwrap().1.parse().unwrap();
            let mut tx = kits.db.read().await.unwrap();
            tokens::peek(&mut tx, kits.now(), Purpose::SetPassword, &secret).await.unwrap()
        };
        assert_eq!(state(mails[0].link("#")?).await, Err(TokenRefusal::Superseded));
        assert_eq!(state(mails[1].link("#")?).await, Ok(vera.user_id.uuid()));
    }
    Ok(())
}

#[tokio::test]
async fn headers_cannot_be_smuggled_in_by_a_subject() -> anyhow::Result<()> {
    let Some(test) = TestKits::on(Kind::Sqlite).await? else { return Ok(()) };
    let mailbox = Mailbox::start().await?;
    let kits = over(&test, mailbox.url())?;
    let message = Message {
        to: email(VERA),
        subject: "Villa\r\nBcc: all@example.com\r\n\r\nHello".into(),
        html: "<p>Hello</p>".into(),
        plain: "Hello".into(),
        message_id: Uuid::from_u128(1),
    };
    match kits.mailer.send(message).await {
        Ok(()) => {
            let mail = mailbox.mails().remove(0);
            assert_eq!((mail.to, mail.text.trim()), (vec![VERA.to_owned()], "Hello"));
        }
        Err(MailError::Permanent(_)) => assert_eq!(mailbox.mails().len(), 0),
        Err(MailError::Passing(why)) => panic!("a subject will not get better by waiting: {why}"),
    }
    Ok(())
}
