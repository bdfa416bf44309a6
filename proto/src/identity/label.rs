//! What the label's QR says.

use std::{fmt, str::FromStr};

use super::{ClaimSecret, IdCode, MacAddress};

/// The contents of a label's QR: `GL1:<ID code>:<MAC>[:<label secret>]`, all in the alphanumeric set of QR so that
/// the symbol stays small (ISO/IEC 18004).
#[derive(Clone, PartialEq, Eq)]
pub struct Label {
    /// The device's ID code.
    pub id_code: IdCode,
    /// The device's MAC address.
    pub mac: MacAddress,
    /// The label secret, when the vendor prints one. A device's own page shows the QR without it.
    pub secret: Option<ClaimSecret>,
}

/// The text is not from a Gatelodge label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a device's label; scan the square code beside ID and MAC, or type them")]
pub struct InvalidLabel;

impl FromStr for Label {
    type Err = InvalidLabel;
    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        let mut parts = text.trim().split(':');
        if !parts.next().is_some_and(|mark| mark.eq_ignore_ascii_case("GL1")) {
            return Err(InvalidLabel);
        }
        let (Some(id_code), Some(mac)) = (parts.next(), parts.next()) else { return Err(InvalidLabel) };
        let secret = parts.next().map(str::parse).transpose().map_err(|_| InvalidLabel)?;
        if parts.next().is_some() {
            return Err(InvalidLabel);
        }
        Ok(Self {
            id_code: id_code.parse().map_err(|_| InvalidLabel)?,
            mac: mac.parse().map_err(|_| InvalidLabel)?,
            secret,
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GL1:{}:{}", self.id_code.compact(), self.mac.compact())?;
        match &self.secret {
            Some(secret) => write!(f, ":{}", secret.reveal().replace('-', "")),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Label").field("id_code", &self.id_code).field("mac", &self.mac).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn round_trips_with_and_without_the_secret() {
        let random = Random::seeded(5);
        let mac = "02:42:AC:11:00:02".parse().unwrap();
        for secret in [None, Some(ClaimSecret::make(&random))] {
            let label = Label { id_code: IdCode::make(&random), mac, secret };
            assert_eq!(label.to_string().parse::<Label>().unwrap(), label);
            assert_eq!(label.to_string().to_lowercase().parse::<Label>().unwrap(), label);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "GL1", "GL2:A:B", "https://example.test/", "GL1:7K3M:02:42:AC:11:00:02"] {
            assert_eq!(text.parse::<Label>(), Err(InvalidLabel), "{text}");
        }
    }
}
