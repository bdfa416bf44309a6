//! A mail server that accepts everything and delivers nothing: RFC 5321 as far as a sender needs it, on loopback.

mod mail;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub use mail::Mail;

use crate::wait::wait_until;

/// A running catcher; dropping it closes it.
#[derive(Debug)]
pub struct Mailbox {
    address: SocketAddr,
    caught: Caught,
    refusals: Refusals,
    _server: JoinSet<()>,
}

type Caught = Arc<Mutex<Vec<Mail>>>;
/// Instead of a reply: the recipient is accepted, and after the message nothing more is said.
const HANG: &str = "";

/// What the next recipients are answered instead of being accepted.
type Refusals = Arc<Mutex<VecDeque<String>>>;

impl Mailbox {
    /// Opens a catcher on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// Opens a catcher where a mail server was away until now.
    pub async fn start_at(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.context("cannot open the mail catcher")?;
        let (address, caught, refusals) = (listener.local_addr()?, Caught::default(), Refusals::default());
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&caught), Arc::clone(&refusals)));
        Ok(Self { address, caught, refusals, _server: server })
    }

    /// What goes into `mail.smtp_url`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Refuses the next recipient with this reply, like `451 4.7.1 come back later`.
    pub fn refuse_next(&self, reply: &str) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply.to_owned());
    }

    /// Takes the whole of the next mail and says nothing any more: whether it will be delivered, nobody knows.
    pub fn hang_next(&self) {
        self.refuse_next(HANG);
    }

    /// Everything caught so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.caught.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a mail to `recipient` that `wanted` accepts, and gives the newest such.
    pub async fn wait_for(&self, what: &str, recipient: &str, wanted: impl Fn(&Mail) -> bool) -> anyhow::Result<Mail> {
        wait_until(format!("{recipient} gets {what}"), Duration::from_secs(90), async || {
            let mails = self.mails();
            Ok(mails.into_iter().rev().find(|mail| mail.to.iter().any(|to| to == recipient) && wanted(mail)))
        })
        .await
        .with_context(|| {
            let subjects: Vec<String> =
                self.mails().iter().map(|mail| format!("{}: {}", mail.to.join(", "), mail.subject)).collect();
            format!("caught so far: {subjects:?}")
        })
    }
}

async fn serve(listener: TcpListener, caught: Caught, refusals: Refusals) {
    let mut talks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (caught, refusals) = (Arc::clone(&caught), Arc::clone(&refusals));
        talks.spawn(async move {
            // A sender that hangs up early has sent nothing that counts.
            let _ = talk(stream, &caught, &refusals).await;
        });
    }
}

async fn talk(stream: TcpStream, caught: &Caught, refusals: &Refusals) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mailbox.test ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), Vec::new());
    let (mut line, mut hangs) = (String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-mailbox.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "MAIL" => {
                from = between_angles(&line);
                to.clear();
                b"250 2.1.0 sender accepted\r\n"
            }
            "RCPT" => {
                let refusal = refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                hangs = refusal.as_deref() == Some(HANG);
                if let Some(reply) = refusal.filter(|reply| reply != HANG) {
                    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                    continue;
                }
                to.push(between_angles(&line));
                b"250 2.1.5 recipient accepted\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 end with a dot on its own line\r\n").await?;
                let mail = Mail::parse(std::mem::take(&mut from), std::mem::take(&mut to), &data(&mut stream).await?);
                if hangs {
                    return std::future::pending().await;
                }
                caught.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                b"250 2.0.0 caught\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            "HELO" | "RSET" | "NOOP" => b"250 2.0.0 so be it\r\n",
            _ => b"502 5.5.1 not known here\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// The message up to the lone dot, dot-stuffing undone (RFC 5321 section 4.5.2).
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut text, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end() == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn between_angles(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(inside, _)| inside).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_sent_by_smtp_is_read_as_a_person_reads_it() {
        let mailbox = Mailbox::start().await.unwrap();
        let mut stream = TcpStream::connect(mailbox.address).await.unwrap();
        let mail =
            "Subject: =?utf-8?b?VmlsbGEgUm9zw6k=?=\r\nContent-Type: text/plain\r\n\r\n..dots\r\nhttps://x.test/a#b\r\n";
        let talk = format!("EHLO me\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n{mail}.\r\nQUIT\r\n");
        stream.write_all(talk.as_bytes()).await.unwrap();
        let mail = mailbox.wait_for("the mail", "b@x.test", |_| true).await.unwrap();
        assert_eq!((mail.from.as_str(), mail.subject.as_str()), ("a@x.test", "Villa Rosé"));
        assert_eq!(mail.text, ".dots\r\nhttps://x.test/a#b\r\n");
        assert_eq!(mail.links(), ["https://x.test/a#b"]);
    }
}
