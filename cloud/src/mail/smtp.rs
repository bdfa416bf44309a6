//! Hand-over by SMTP (RFC 5321), with TLS unless the server is on this very machine.

use std::{
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use gatelodge_proto::Timestamp;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use url::Url;

use super::{MailError, MailSettingsError, Message};

/// A server that neither takes nor refuses a mail in this time is tried again later.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Server {
    pub(super) fn open(url: &str, from: &str) -> Result<Self, MailSettingsError> {
        let url = Url::parse(url).map_err(|_| MailSettingsError::Url)?;
        let name = url.host_str().filter(|name| !name.is_empty()).ok_or(MailSettingsError::Url)?.to_owned();
        let tls = |wrap: fn(TlsParameters) -> Tls| {
            TlsParameters::new(name.clone())
                .map(wrap)
                .map_err(|source| MailSettingsError::Tls { host: name.clone(), source })
        };
        let (tls, port) = match url.scheme() {
            "smtp" if is_this_machine(&name) => (Tls::None, 25),
            "smtp" => (tls(Tls::Required)?, 587),
            "smtps" => (tls(Tls::Wrapper)?, 465),
            _ => return Err(MailSettingsError::Url),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(name.clone())
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some(password) = url.password() {
            builder = builder.credentials(Credentials::new(decoded(url.username()), decoded(password)));
        }
        let from = from.parse().map_err(|_| MailSettingsError::From(from.to_owned()))?;
        Ok(Self { transport: builder.build(), from })
    }

    pub(super) async fn send(&self, now: Timestamp, message: Message) -> Result<(), MailError> {
        let refused = |error: &dyn std::error::Error| MailError::Permanent(error.to_string());
        let to = message.to.as_str().parse().map_err(|error: lettre::address::AddressError| refused(&error))?;
        let id = format!("<{}@{}>", message.message_id, self.from.email.domain());
        let date = UNIX_EPOCH + now.since(Timestamp::EPOCH);
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject)
            .message_id(Some(id))
            .date(date)
            .multipart(MultiPart::alternative_plain_html(message.plain, message.html))
            .map_err(|error| refused(&error))?;
        // The transport's own limit ends with the connection's first word; a server may fall silent after any other.
        match tokio::time::timeout(PATIENCE, self.transport.send(mail)).await {
            Err(_) => Err(MailError::Passing(format!("it fell silent for {} s", PATIENCE.as_secs()))),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(MailError::Permanent(chain(&error))),
            Ok(Err(error)) => Err(MailError::Passing(chain(&error))),
        }
    }
}

/// On this machine nobody listens in between, and no certificate names it. (`Url` knows addresses from names only in
/// the schemes of the web.)
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn decoded(text: &str) -> String {
    let pair = format!("x={text}").replace('+', "%2B");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "Gatelodge <no-reply@example.com>";

    #[test]
    fn what_is_no_mail_server_is_refused_with_how_to_write_it() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        for bad in ["mail.example.com", "http://mail.example.com", "smtp:", "smtps:///x"] {
            assert!(matches!(Server::open(bad, FROM), Err(MailSettingsError::Url)), "{bad}");
        }
        let refused = Server::open("smtp://127.0.0.1:2525", "nobody").err().unwrap();
        assert_eq!(refused.to_string(), "`mail.from` is `nobody`; write it like Name <name@example.com>");
    }

    #[test]
    fn only_a_server_on_this_machine_is_spoken_to_without_tls() {
        for here in ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"] {
            assert!(is_this_machine(here), "{here}");
        }
        for elsewhere in ["mail.example.com", "192.0.2.1", "localhost.example.com", "[2001:db8::1]"] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn passwords_may_hold_what_urls_escape() {
        assert_eq!(decoded("a%40b+c%2Fd"), "a@b+c/d");
    }
}
