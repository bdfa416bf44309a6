//! The words Gatelodge's programs share: identities, topics, payloads, grants, the API's shapes and the session frames.
//!
//! Everything here is parsed once at the edge and canonical from then on. Nothing in the default build does IO;
//! the features `link` (MQTT) and `session` (data plane) add the two drivers that agent, cloud and technician share.

pub mod api;
pub mod clock;
pub mod consent;
pub mod csv;
pub mod enrol;
pub mod grant;
#[cfg(feature = "https")]
pub mod https;
pub mod identity;
pub mod ids;
#[cfg(feature = "link")]
pub mod link;
pub mod opening;
pub mod payload;
pub mod random;
pub mod recording;
#[cfg(feature = "session")]
pub mod session;
#[cfg(feature = "settings")]
pub mod settings;
pub mod timestamp;
pub mod topics;
#[cfg(feature = "web")]
pub mod web;

pub use clock::Clock;
pub use ids::{
    CertificateSerial, CommandId, DeviceId, EnrolmentId, FlowId, OrganisationId, RegistrationId, SessionId, UserId,
};
pub use random::Random;
pub use timestamp::Timestamp;

/// Gives a string newtype with a `FromStr` its `Display`, serde and `TryFrom<String>` in one canonical form.
macro_rules! canonical_text {
    ($name:ident) => {
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = <$name as ::std::str::FromStr>::Err;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use canonical_text;
