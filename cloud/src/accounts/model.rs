//! Users, organisations and who is in which with what role. Knows no table and no page.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use gatelodge_proto::{OrganisationId, Timestamp, UserId, identity::EmailAddress};
use uuid::Uuid;

use crate::i18n::Language;

/// A person with a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Where mails for them go; also what they sign in with.
    pub email: EmailAddress,
    /// What to call them.
    pub name: String,
    /// How to phone them.
    pub phone: Option<String>,
    /// What they read.
    pub language: Language,
    /// Whether they have chosen a password yet.
    pub has_password: bool,
    /// When a link sent to the address came back; `None` until then.
    pub email_confirmed_at: Option<Timestamp>,
    /// Since when they may not sign in any more.
    pub disabled_at: Option<Timestamp>,
    /// How often they have signed in.
    pub sign_ins: u64,
    /// Since when they are here.
    pub created_at: Timestamp,
}

/// What an organisation is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrganisationKind {
    /// The maker, who runs the cloud; there is one.
    Vendor,
    /// Puts devices in and looks after them.
    Installer,
    /// Answers incidents.
    Reseller,
    /// Owns devices.
    Customer,
}

/// What a user may do in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Administrator,
    /// Everything but the organisation itself.
    Supervisor,
    /// Devices and sessions.
    Technician,
    /// Looking only.
    Basic,
}

/// A stored or posted word that names nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}")]
pub struct UnknownWord {
    kind: &'static str,
    text: String,
}

macro_rules! words {
    ($name:ident, $kind:literal, $($variant:ident => $word:literal),+) => {
        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The stable word of rows, the API and locale keys.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL
                    .into_iter()
                    .find(|known| known.word() == text)
                    .ok_or_else(|| UnknownWord { kind: $kind, text: text.chars().take(40).collect() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(OrganisationKind, "a kind of organisation",
    Vendor => "vendor", Installer => "installer", Reseller => "reseller", Customer => "customer");
words!(Role, "a role",
    Administrator => "administrator", Supervisor => "supervisor", Technician => "technician", Basic => "basic");

/// Vendor, installer, reseller or customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// What it is to the others.
    pub kind: OrganisationKind,
    /// Its name: a company's, or a household's.
    pub name: String,
    /// Where it is.
    pub address: PostalAddress,
    /// Since when it is here.
    pub created_at: Timestamp,
}

/// Where an organisation is, as far as it said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostalAddress {
    /// Street and number.
    pub street: Option<String>,
    /// Postcode.
    pub postcode: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// Country.
    pub country: Option<String>,
}

/// A user acting for one organisation: what a right is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: EmailAddress,
    /// For which organisation.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub organisation_name: String,
    /// What it is to the others.
    pub kind: OrganisationKind,
    /// What they may do in it.
    pub role: Role,
    /// What they read.
    pub language: Language,
}

/// A browser that is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortalSessionId(pub Uuid);

/// A program that may speak for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiTokenId(pub Uuid);

/// Which network a request comes from: an IPv4 address, or the 64 bits of an IPv6 address that one site shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Network {
    /// As a row has it.
    pub(super) fn known(text: String) -> Self {
        Self(text)
    }

    /// As kept in rows and shown to people.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_others_are_named_in_the_refusal() {
        for kind in OrganisationKind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>().unwrap_err().to_string(), "`root` is not a role");
    }

    #[test]
    fn neighbours_on_one_ipv6_site_are_one_network() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::9"), network("2001:db8:1:2:3:4:5:6"));
    }
}
