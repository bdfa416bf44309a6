//! How mail leaves: through the vendor's mail server, or into the built-in mailbox of a cloud that has none. Hands over
//! one mail at a time and says whether trying again can help; never renders, never retries.

mod mailbox;
mod smtp;

use std::sync::Arc;

use gatelodge_proto::{Timestamp, identity::EmailAddress};
use uuid::Uuid;

use crate::{
    clock::Clock,
    config::Mail,
    db::{Db, DbError},
};
pub use mailbox::{Kept, list, read};

/// One mail, rendered.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// To whom.
    pub to: EmailAddress,
    /// What it is about.
    pub subject: String,
    /// For programs that show HTML.
    pub html: String,
    /// The same in plain text.
    pub plain: String,
    /// The same at each try, so that mail servers and readers can drop a second copy: the job's id.
    pub message_id: Uuid,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server is away, busy or asks to come back: the same mail may leave later.
    #[error("the mail server does not take the mail now: {0}")]
    Passing(String),
    /// The server said no for good (5xx), or the mail cannot be put into its form.
    #[error("the mail server refused the mail: {0}")]
    Permanent(String),
}

impl From<DbError> for MailError {
    fn from(error: DbError) -> Self {
        if error.is_passing() { Self::Passing(error.to_string()) } else { Self::Permanent(error.to_string()) }
    }
}

/// The settings name no mail server that could be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// Not `smtp://` or `smtps://` with a host.
    #[error("`mail.smtp_url` must look like smtp://user:password@host:587 or smtps://user:password@host:465")]
    Url,
    /// Not a mailbox.
    #[error("`mail.from` is `{0}`; write it like Name <name@example.com>")]
    From(String),
    /// TLS could not be prepared.
    #[error("TLS to the mail server at {host} cannot be prepared")]
    Tls {
        /// Which.
        host: String,
        /// Why.
        #[source]
        source: lettre::transport::smtp::Error,
    },
}

/// Hands mails over. Clones share the connections.
#[derive(Clone)]
pub struct Mailer {
    way: Arc<Way>,
    clock: Clock,
}

enum Way {
    Server(smtp::Server),
    Mailbox(Db),
}

impl Mailer {
    /// To the server of the settings; into the built-in mailbox when they name none.
    pub fn open(settings: &Mail, db: Db, clock: Clock) -> Result<Self, MailSettingsError> {
        let way = match &settings.smtp_url {
            Some(url) => Way::Server(smtp::Server::open(url, &settings.from)?),
            None => Way::Mailbox(db),
        };
        Ok(Self { way: Arc::new(way), clock })
    }

    /// Hands one mail over.
    pub async fn send(&self, message: Message) -> Result<(), MailError> {
        let now: Timestamp = self.clock.now();
        match self.way.as_ref() {
            Way::Server(server) => server.send(now, message).await,
            Way::Mailbox(db) => Ok(mailbox::keep(db, now, message).await?),
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.way.as_ref() {
            Way::Server(_) => "Mailer(server)",
            Way::Mailbox(_) => "Mailer(mailbox)",
        })
    }
}
