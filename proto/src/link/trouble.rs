//! What can go wrong on a link, told in words: a broken way, a far side that says no, a message that was not taken.

use std::{error::Error as StdError, io};

use rumqttc::{
    ConnectionError, PublishNoticeError, PublishResult, StateError,
    mqttbytes::{
        Error as MqttError,
        v5::{ConnectReturnCode, DisconnectReasonCode, PubAckReason, SubAck, SubscribeReasonCode},
    },
};
use rustls::AlertDescription;

/// The way to the endpoint does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection: no such name, nobody listens, no route.
    #[error("the device endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// Connected, and then silence.
    #[error("the device endpoint does not answer in time")]
    TimedOut,
    /// Its certificate is not one this side trusts.
    #[error("the device endpoint's certificate is not trusted: {0}")]
    NotTrusted(String),
    /// The connection broke.
    #[error("the connection to the device endpoint broke: {0}")]
    Lost(String),
    /// The endpoint closes, or wants this connection closed, without blame.
    #[error("the device endpoint closed the connection: {0}")]
    Closed(String),
    /// Another connection with the same certificate took the place of this one.
    #[error("another connection with this device's certificate took over")]
    TakenOver,
}

/// The endpoint is there and says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The certificate is valid but not, or no longer, allowed.
    #[error("the device endpoint does not allow this certificate")]
    NotAuthorized,
    /// The TLS handshake ended with an alert about the certificate.
    #[error("the device endpoint refuses the certificate: {0}")]
    Certificate(String),
    /// It is too busy for another client.
    #[error("the device endpoint is busy")]
    Busy,
    /// A subscription was not granted.
    #[error("the device endpoint does not grant the subscription: {0}")]
    Subscription(String),
    /// Something in the connect request itself.
    #[error("the device endpoint refuses the connection: {0}")]
    Other(String),
}

/// A message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection.
    #[error("there is no connection to the device endpoint; the message was not sent")]
    NotConnected,
    /// The connection broke before the acknowledgement; the message may have arrived.
    #[error("the connection broke before the device endpoint acknowledged the message")]
    Lost,
    /// The endpoint answered with a reason code of failure.
    #[error("the device endpoint refused a message to {topic}: {reason}")]
    Refused {
        /// Where it was meant to go.
        topic: String,
        /// The reason code's name (MQTT 5 section 3.4.2.1).
        reason: String,
    },
    /// No message can go to such a topic.
    #[error("`{0}` is no topic for a message")]
    Topic(String),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Trouble(Trouble),
    Refusal(Refusal),
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => Self::Refusal(connect_refusal(code)),
            ConnectionError::Timeout(_) | ConnectionError::MqttState(StateError::AwaitPingResp) => {
                Self::Trouble(Trouble::TimedOut)
            }
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => disconnected(reason_code),
            ConnectionError::MqttState(StateError::ConnFail { reason }) => Self::Refusal(connect_refusal(reason)),
            ConnectionError::MqttState(StateError::Io(error) | StateError::Deserialization(MqttError::Io(error))) => {
                from_io(&error, false)
            }
            ConnectionError::Io(error) => from_io(&error, true),
            ConnectionError::Tls(error) => match tls_fault(&error) {
                Some(end) => end,
                None => Self::Trouble(Trouble::Unreachable(error.to_string())),
            },
            other => Self::Trouble(Trouble::Lost(other.to_string())),
        }
    }
}

fn connect_refusal(code: ConnectReturnCode) -> Refusal {
    match code {
        ConnectReturnCode::NotAuthorized
        | ConnectReturnCode::BadUserNamePassword
        | ConnectReturnCode::Banned
        | ConnectReturnCode::BadClientId
        | ConnectReturnCode::ClientIdentifierNotValid => Refusal::NotAuthorized,
        ConnectReturnCode::ServerBusy
        | ConnectReturnCode::ServerUnavailable
        | ConnectReturnCode::ServiceUnavailable
        | ConnectReturnCode::QuotaExceeded
        | ConnectReturnCode::ConnectionRateExceeded => Refusal::Busy,
        other => Refusal::Other(format!("{other:?}")),
    }
}

fn disconnected(code: DisconnectReasonCode) -> End {
    match code {
        DisconnectReasonCode::NotAuthorized => End::Refusal(Refusal::NotAuthorized),
        DisconnectReasonCode::ServerBusy | DisconnectReasonCode::ConnectionRateExceeded => End::Refusal(Refusal::Busy),
        DisconnectReasonCode::SessionTakenOver => End::Trouble(Trouble::TakenOver),
        other => End::Trouble(Trouble::Closed(format!("{other:?}"))),
    }
}

fn from_io(error: &io::Error, connecting: bool) -> End {
    if let Some(end) = tls_fault(error) {
        return end;
    }
    let text = error.to_string();
    let reached = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
    );
    End::Trouble(match error.kind() {
        io::ErrorKind::TimedOut => Trouble::TimedOut,
        _ if connecting && !reached => Trouble::Unreachable(text),
        _ => Trouble::Lost(text),
    })
}

/// The rustls error somewhere in the chain; with TLS 1.3 the endpoint's alert about our certificate arrives only with
/// the first read after the handshake.
fn tls_fault(error: &(dyn StdError + 'static)) -> Option<End> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(fault) = current.downcast_ref::<rustls::Error>() {
            return Some(match fault {
                rustls::Error::AlertReceived(alert) if is_about_certificate(*alert) => {
                    End::Refusal(Refusal::Certificate(format!("{alert:?}")))
                }
                rustls::Error::InvalidCertificate(cause) => End::Trouble(Trouble::NotTrusted(format!("{cause:?}"))),
                other => End::Trouble(Trouble::Lost(other.to_string())),
            });
        }
        next = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // An io::Error's `source` skips the error it wraps.
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

const fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// The first filter that was not granted.
pub(super) fn read_subscriptions(ack: &SubAck, filters: &[String]) -> Result<(), End> {
    for (place, code) in ack.return_codes.iter().enumerate() {
        if !matches!(code, SubscribeReasonCode::Success(_)) {
            let filter = filters.get(place).map_or("?", String::as_str);
            return Err(End::Refusal(Refusal::Subscription(format!("{filter} ({code:?})"))));
        }
    }
    Ok(())
}

pub(super) fn read_acknowledgement(
    topic: String,
    outcome: Result<PublishResult, PublishNoticeError>,
) -> Result<(), PublishError> {
    match outcome {
        Ok(PublishResult::Qos1(ack)) => match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            reason => Err(PublishError::Refused { topic, reason: format!("{reason:?}") }),
        },
        Ok(_) => Ok(()),
        Err(PublishNoticeError::V5PubAck(reason)) => {
            Err(PublishError::Refused { topic, reason: format!("{reason:?}") })
        }
        Err(_) => Err(PublishError::Lost),
    }
}
