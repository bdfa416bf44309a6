//! Names of hardware and people, each parsed once into one canonical spelling. None of them is a credential
//! except [`OnSiteCode`] and [`ClaimSecret`], which prove presence and never appear in `Debug` output.

mod claim_secret;
mod crockford;
mod email;
mod id_code;
mod label;
mod mac;
mod on_site_code;
mod serial;
mod web_address;

pub use claim_secret::{ClaimSecret, InvalidClaimSecret};
pub use email::{EmailAddress, InvalidEmailAddress};
pub use id_code::{IdCode, InvalidIdCode};
pub use label::{InvalidLabel, Label};
pub use mac::{InvalidMacAddress, MacAddress};
pub use on_site_code::{InvalidOnSiteCode, OnSiteCode};
pub use serial::{InvalidSerialNumber, SerialNumber};
pub use web_address::{InvalidWebAddress, WebAddress};
