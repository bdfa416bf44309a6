//! E-mail addresses, as far as one can be checked without sending a mail.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An address of the form `local@domain` (the dot-atom form of RFC 5321), kept as typed, compared without case.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, example = "name@example.com"))]
pub struct EmailAddress(String);

/// The text cannot be an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an e-mail address; write it like name@example.com")]
pub struct InvalidEmailAddress(String);

impl EmailAddress {
    /// The address as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The spelling that equal addresses share, for look-up and uniqueness.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c)
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;
    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        let text = text.trim();
        let sound = text.len() <= 254
            && text.rsplit_once('@').is_some_and(|(local, domain)| {
                local.len() <= 64
                    && local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
                    && domain.split('.').count() >= 2
                    && domain.split('.').all(is_domain_label)
            });
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidEmailAddress(text.chars().take(80).collect())) }
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for EmailAddress {}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::canonical_text!(EmailAddress);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_addresses_pass_and_broken_ones_do_not() {
        for good in ["anna@example.com", "o'neil+alarm@mail.example.co.uk", " Anna.B@Example.com "] {
            assert_eq!(good.parse::<EmailAddress>().unwrap().as_str(), good.trim());
        }
        for bad in [
            "",
            "anna",
            "anna@",
            "@example.com",
            "anna@example",
            "a..b@example.com",
            "a b@example.com",
            "anna@-x.com",
            "anna@example.com\r\nBcc: all@example.com",
            "<anna@example.com>",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
        assert_eq!("Anna@Example.com".parse::<EmailAddress>().unwrap(), "anna@example.com".parse().unwrap());
    }

    proptest! {
        #[test]
        fn what_passes_can_stand_in_a_mail_header(text in "\\PC*") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert!(address.as_str().chars().all(|c| c.is_ascii_graphic()));
                prop_assert_eq!(address.to_string().parse::<EmailAddress>().unwrap(), address);
            }
        }
    }
}
