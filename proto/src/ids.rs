//! One id type per kind of thing: UUIDv7, so they sort by the time they were made, and never mix.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Random, Timestamp};

/// The text is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the id of {kind}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUIDv7, RFC 9562) made at `now`. Its `rand_a` holds the microseconds (section 6.2, method 3),
            /// so that ids made within one millisecond sort too.
            pub fn make(now: Timestamp, random: &Random) -> Self {
                let micros = u64::try_from(now.micros()).unwrap_or(0);
                let mut tail: [u8; 10] = random.bytes();
                let fraction = u16::try_from(micros % 1_000 * 4_096 / 1_000).unwrap_or(0);
                tail[..2].copy_from_slice(&fraction.to_be_bytes());
                Self(uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &tail).into_uuid())
            }

            /// From a UUID that is known to name this kind of thing, as a database row's key is.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| InvalidId { kind: $kind, text: text.chars().take(40).collect() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id!(
    /// A user: a person with a login.
    UserId,
    "a user"
);
id!(
    /// An organisation: vendor, installer, reseller or customer.
    OrganisationId,
    "an organisation"
);
id!(
    /// A device; also the common name of its certificate and its MQTT client id.
    DeviceId,
    "a device"
);
id!(
    /// One enrolment attempt of one key.
    EnrolmentId,
    "an enrolment"
);
id!(
    /// One registration of a device: from an installer's save to its end.
    RegistrationId,
    "a registration"
);
id!(
    /// One remote management session.
    SessionId,
    "a session"
);
id!(
    /// One command to a device.
    CommandId,
    "a command"
);
id!(
    /// One stream within a session; pairs the audit rows of both sides.
    FlowId,
    "a flow"
);

/// The serial number of an X.509 certificate (RFC 5280 section 4.1.2.2) as upper-case hex without leading zeros.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateSerial(String);

impl CertificateSerial {
    /// From the big-endian bytes of the serial.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        use fmt::Write as _;
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(hex, "{byte:02X}");
        }
        let trimmed = hex.trim_start_matches('0');
        Self(if trimmed.is_empty() { "0".into() } else { trimmed.into() })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The big-endian bytes of the serial, without leading zeros.
    pub fn to_bytes(&self) -> Vec<u8> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
        let mut digits = self.0.bytes().map(nibble);
        let mut bytes = Vec::with_capacity(self.0.len().div_ceil(2));
        if self.0.len() % 2 == 1 {
            bytes.extend(digits.next());
        }
        while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
            bytes.push(high << 4 | low);
        }
        bytes
    }
}

impl FromStr for CertificateSerial {
    type Err = InvalidId;
    /// Reads hex with or without colons, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_uppercase()).collect();
        let sound = !digits.is_empty() && digits.len() <= 64 && digits.chars().all(|c| c.is_ascii_hexdigit());
        if !sound {
            return Err(InvalidId { kind: "a certificate", text: text.chars().take(40).collect() });
        }
        let trimmed = digits.trim_start_matches('0');
        Ok(Self(if trimmed.is_empty() { "0".into() } else { trimmed.into() }))
    }
}

impl fmt::Display for CertificateSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(CertificateSerial);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let random = Random::seeded(1);
        let early = DeviceId::make(Timestamp::from_seconds(1_000), &random);
        let late = DeviceId::make(Timestamp::from_seconds(1_001), &random);
        assert!(early < late);
        let at = |micros: i64| DeviceId::make(Timestamp::from_micros(1_000_000_000 + micros), &random);
        assert!((0..999).all(|micros| at(micros) < at(micros + 1)));
        assert_eq!(early.to_string().parse::<DeviceId>().unwrap(), early);
        assert_eq!(early.uuid().get_version_num(), 7);
    }

    #[test]
    fn a_bad_id_says_of_what() {
        assert_eq!("x".parse::<DeviceId>().unwrap_err().to_string(), "`x` is not the id of a device");
    }

    #[test]
    fn certificate_serials_have_one_spelling() {
        let canonical: CertificateSerial = "0a:0B:ff".parse().unwrap();
        assert_eq!(canonical.as_str(), "A0BFF");
        assert_eq!(CertificateSerial::from_bytes(&[0, 0x0a, 0x0b, 0xff]), canonical);
        assert_eq!(canonical.to_bytes(), [0x0a, 0x0b, 0xff]);
        assert_eq!(CertificateSerial::from_bytes(&canonical.to_bytes()), canonical);
        assert!("".parse::<CertificateSerial>().is_err());
        assert!("xyz".parse::<CertificateSerial>().is_err());
    }
}
