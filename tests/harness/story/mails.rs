//! Where the story's mails are read: out of a catcher, or in the cloud's own mailbox as a person reads them.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{Person, VENDOR};
use crate::{mailbox::Mailbox, portal::Hands, wait::wait_until};

/// A place to read mails.
#[derive(Debug)]
pub enum Mails {
    /// An SMTP server of the tests.
    Caught(Mailbox),
    /// The vendor's administrator at the portal of a cloud without a mail server.
    BuiltIn(Box<Hands>),
}

impl Mails {
    /// Signs the vendor's administrator in where the mailbox needs it.
    pub async fn open(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Caught(_) => Ok(()),
            Self::BuiltIn(vendor) => {
                sign_in(vendor, VENDOR).await?;
                vendor.open("/vendor/mailbox").await
            }
        }
    }

    /// Waits for the newest mail to that person with a link to `path`, and gives the link.
    pub async fn link(&mut self, person: Person, path: &str) -> anyhow::Result<String> {
        let part = format!("{path}#");
        match self {
            Self::Caught(mailbox) => {
                let what = format!("a link to {path}");
                let mail = mailbox.wait_for(&what, person.email, |mail| mail.link(&part).is_ok()).await?;
                Ok(mail.link(&part)?.to_owned())
            }
            Self::BuiltIn(vendor) => {
                let what = format!("{} gets a link to {path}", person.email);
                wait_until(what, Duration::from_secs(90), async || built_in_link(vendor, person, &part).await).await
            }
        }
    }
}

async fn built_in_link(vendor: &mut Hands, person: Person, part: &str) -> anyhow::Result<Option<String>> {
    vendor.open("/vendor/mailbox").await?;
    let mails = vendor.links().await?.into_iter().filter(|link| link.starts_with("/vendor/mailbox/"));
    for mail in mails.collect::<Vec<_>>() {
        vendor.open(&mail).await?;
        let text = vendor.text().await?;
        if !text.contains(person.email) {
            continue;
        }
        let mut words = text.split_whitespace();
        if let Some(link) = words.find(|word| word.starts_with("http") && word.contains(part)) {
            return Ok(Some(link.to_owned()));
        }
    }
    Ok(None)
}

/// Signs somebody in from wherever they are.
pub(super) async fn sign_in(hands: &mut Hands, person: Person) -> anyhow::Result<()> {
    hands.open("/sign-in").await?;
    hands.submit("/sign-in", &[("email", person.email), ("password", person.password)]).await?;
    let path = hands.path().await?;
    ensure!(path != "/sign-in", "{} is not signed in; the page says:\n{}", person.email, hands.text().await?);
    Ok(())
}

/// Signs somebody out.
pub async fn sign_out(hands: &mut Hands) -> anyhow::Result<()> {
    hands.open("/").await?;
    if let Hands::Browser(browser, _) = hands {
        // The button is inside the account's menu.
        browser.click("details.menu > summary").await.context("nobody is signed in")?;
    }
    hands.submit("/sign-out", &[]).await
}
