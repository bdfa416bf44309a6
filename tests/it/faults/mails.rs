//! The mail server is away, slow, busy, or says no for good, while an installer registers a device.

use std::time::Duration;

use gatelodge_cloud::{
    accounts,
    activation::{self, amend},
    config::Mail,
    i18n::Language,
    jobs::Worker,
    kits::Kits,
    mail::Mailer,
};
use gatelodge_tests::{database::Kind, kits::TestKits, mailbox::Mailbox};

use crate::cast::{self, Cast};

const ROSA: &str = "rosa@example.com";
const HOUR: Duration = Duration::from_secs(3600);

/// The same kits with a mail server.
fn over(cast: &Cast, url: String) -> anyhow::Result<Kits> {
    let kits = cast.kits();
    let mut config = kits.config.as_ref().clone();
    config.mail = Mail { smtp_url: Some(url), ..config.mail };
    let mailer = Mailer::open(&config.mail, kits.db.clone(), kits.clock.clone())?;
    Ok(Kits { mailer, config: config.into(), ..kits.clone() })
}

fn worker(kits: &Kits) -> Worker {
    let handlers = accounts::jobs(kits).into_iter().chain(activation::jobs::jobs(kits));
    Worker::new(kits.db.clone(), kits.clock.clone(), kits.jobs.clone(), handlers)
}

fn links(mailbox: &Mailbox) -> usize {
    mailbox.mails().iter().filter(|mail| mail.to == [ROSA] && mail.link("/activate#").is_ok()).count()
}

/// Everything that is due, and nothing twice for another day.
async fn settle(cast: &Cast, worker: &Worker) -> anyhow::Result<()> {
    for _ in 0..24 {
        worker.round().await?;
        cast.test.pass(HOUR);
    }
    Ok(())
}

#[tokio::test]
async fn a_registration_does_not_wait_for_a_server_that_is_away() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let kits = over(&cast, format!("smtp://{address}"))?;
        let (marc, worker) = (cast.installer("marc@example.com").await?, worker(&kits));
        cast.registers(&marc, cast.device().await?, "villa-rosa", ROSA).await?;
        worker.round().await?;
        cast.test.pass(HOUR);
        worker.round().await?;

        let mailbox = Mailbox::start_at(address).await?;
        assert_eq!(links(&mailbox), 0);
        cast.test.pass(HOUR);
        settle(&cast, &worker).await?;
        assert_eq!(links(&mailbox), 1, "it arrives once");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_puts_off_or_falls_silent_gets_the_mail_again() -> anyhow::Result<()> {
    // A silent server costs real half-minutes; one database will do.
    let Some(test) = TestKits::on(Kind::Sqlite).await? else { return Ok(()) };
    let cast = Cast::on(test).await?;
    let mailbox = Mailbox::start().await?;
    let kits = over(&cast, mailbox.url())?;
    let (marc, worker) = (cast.installer("marc@example.com").await?, worker(&kits));
    cast.registers(&marc, cast.device().await?, "villa-rosa", ROSA).await?;
    // Two mails are due, the password's and the link's: each is put off once.
    mailbox.refuse_next("451 4.7.1 come back later");
    mailbox.hang_next();
    worker.round().await?;
    assert_eq!(mailbox.mails().len(), 0);
    cast.test.pass(HOUR);
    settle(&cast, &worker).await?;
    assert_eq!(links(&mailbox), 1);
    assert_eq!(mailbox.mails().len(), 2);
    Ok(())
}

#[tokio::test]
async fn whoever_sent_a_link_is_told_when_it_is_refused_for_good() -> anyhow::Result<()> {
    for cast in cast::on_each().await? {
        let mailbox = Mailbox::start().await?;
        let kits = over(&cast, mailbox.url())?;
        let (marc, lena) = (cast.installer("marc@example.com").await?, cast.installer("lena@example.com").await?);
        let prop = cast.device().await?;
        let worker = worker(&kits);
        cast.registers(&marc, prop, "villa-rosa", "rossa@example.com").await?;
        for _ in 0..2 {
            mailbox.refuse_next("550 5.1.1 no such mailbox");
        }
        worker.round().await?;
        let told = async |who: gatelodge_proto::OrganisationId| -> anyhow::Result<usize> {
            let history = cast.history(who, prop.id).await?;
            Ok(history.iter().filter(|what| *what == "activation_mail_refused").count())
        };
        settle(&cast, &worker).await?;
        assert_eq!(told(marc.member().organisation_id).await?, 1);
        assert_eq!(told(lena.member().organisation_id).await?, 0);
        assert_eq!(mailbox.mails().len(), 0);

        amend::correct_email(&kits, &marc, prop.id, Cast::email(ROSA), Language::En).await?;
        settle(&cast, &worker).await?;
        assert_eq!(links(&mailbox), 1, "the registration stood all the time");
    }
    Ok(())
}
