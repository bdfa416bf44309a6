//! Devices, products and the words their rows are told in.

use gatelodge_proto::{
    CertificateSerial, DeviceId, EnrolmentId, Timestamp,
    identity::{IdCode, MacAddress, SerialNumber},
    payload::{Life, Report},
};
use uuid::Uuid;

use super::presets::ProductPreset;

/// A product's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductId(pub Uuid);

/// A model in the vendor's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// The vendor's reference, unique.
    pub reference: String,
    /// The name people know.
    pub name: String,
    /// Alarm panel, NAS, display.
    pub kind: String,
    /// Warranty in months.
    pub warranty_months: u32,
    /// Where the label is, in a sentence.
    pub label_help: String,
}

/// One manufactured unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Names, not credentials.
    pub names: Names,
    /// The product's id.
    pub product: ProductId,
    /// The product's name.
    pub product_name: String,
    /// What the vendor named for technicians to pick.
    pub product_presets: Vec<ProductPreset>,
    /// When it was sold, as a calendar date.
    pub purchased_on: Option<String>,
    /// How it proves itself.
    pub proof: ProofKind,
    /// The factory batch whose key its secrets follow from.
    pub batch: Option<String>,
    /// Where it stands.
    pub life: Life,
    /// Ownership epoch.
    pub epoch: u64,
    /// When it came into the inventory.
    pub created_at: Timestamp,
    /// When its newest report was taken in; set means it has proven its names over MQTT under its certificate.
    pub reported_at: Option<Timestamp>,
    /// Its newest report.
    pub report: Option<Report>,
    /// Whether it is there.
    pub online: bool,
    /// Since when it is, or is not.
    pub presence_since: Option<Timestamp>,
}

impl Device {
    /// Before anybody released it.
    pub const FIRST_EPOCH: u64 = 1;
}

/// What is printed on a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    /// The ID code.
    pub id_code: IdCode,
    /// The MAC address.
    pub mac: MacAddress,
    /// The serial number.
    pub serial: SerialNumber,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// The stable word for databases, APIs and locale keys.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The one with this [`word`](Self::word).
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words!(
    /// How a device proves itself when it enrols.
    ProofKind {
        /// It knows the secret its factory gave it.
        FactorySecret = "factory_secret",
        /// It shows a code that an installer types.
        OnSiteCode = "on_site_code",
    }
);

words!(
    /// Where one key stands that asks for a certificate.
    EnrolmentState {
        /// It waits for an installer to type its code.
        Waiting = "waiting",
        /// The hardware is not in the inventory; the vendor has to look.
        Quarantined = "quarantined",
        /// Another key holds the identity; the vendor has to look.
        Conflict = "conflict",
        /// It has a certificate.
        Enrolled = "enrolled",
        /// The vendor said no.
        Refused = "refused",
        /// Another key took its place, or the device has a new owner.
        Ended = "ended",
    }
);

words!(
    /// Whether a certificate connects.
    CertificateState {
        /// It does.
        Current = "current",
        /// A newer one of the same key's device has connected.
        Superseded = "superseded",
        /// Taken back.
        Revoked = "revoked",
    }
);

/// One key that asks, or asked, for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// SHA-256 of the key, hex.
    pub key_thumbprint: String,
    /// The request, PEM.
    pub csr: String,
    /// The device it is, or says to be.
    pub device: Option<DeviceId>,
    /// The ID code it named.
    pub id_code: Option<IdCode>,
    /// The MAC address it named.
    pub mac: MacAddress,
    /// The serial number it named.
    pub serial: SerialNumber,
    /// The model as the hardware names itself.
    pub model: String,
    /// The agent's version.
    pub agent_version: String,
    /// How it wants to prove itself.
    pub proof: ProofKind,
    /// Where it stands.
    pub state: EnrolmentState,
    /// Why it stands there, as a stable word.
    pub reason: Option<String>,
    /// Where it asks from.
    pub network: String,
    /// When it first asked.
    pub created_at: Timestamp,
    /// When it last asked.
    pub seen_at: Timestamp,
}

/// Why the vendor has to look at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// The hardware is not in the inventory.
    UnknownHardware,
    /// The names belong to different devices of the inventory.
    Contradiction,
    /// Another key holds the identity.
    Conflict,
    /// Several keys wait for the identity.
    SeveralKeys,
}

impl Suspicion {
    /// Whether the vendor can let the key in as it is; unknown hardware is let in by importing it.
    pub const fn may_be_approved(self) -> bool {
        match self {
            Self::Conflict | Self::SeveralKeys => true,
            Self::UnknownHardware | Self::Contradiction => false,
        }
    }
}

impl Enrolment {
    /// The reason of a waiting key that is not alone.
    pub const SEVERAL_KEYS: &'static str = "several_keys";

    /// Why the vendor has to look at it; `None` when nobody has to.
    pub fn suspicion(&self) -> Option<Suspicion> {
        match (self.state, self.reason.as_deref()) {
            (EnrolmentState::Conflict, _) => Some(Suspicion::Conflict),
            (EnrolmentState::Waiting, Some(Self::SEVERAL_KEYS)) => Some(Suspicion::SeveralKeys),
            (EnrolmentState::Quarantined, Some("contradiction")) => Some(Suspicion::Contradiction),
            (EnrolmentState::Quarantined, _) => Some(Suspicion::UnknownHardware),
            (
                EnrolmentState::Waiting | EnrolmentState::Enrolled | EnrolmentState::Refused | EnrolmentState::Ended,
                _,
            ) => None,
        }
    }
}

/// A row of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate's serial number.
    pub serial: CertificateSerial,
    /// Whose.
    pub device: DeviceId,
    /// The ownership epoch it was issued in.
    pub epoch: u64,
    /// SHA-256 of its key, hex.
    pub key_thumbprint: String,
    /// PEM.
    pub chain: String,
    /// Whether it connects.
    pub state: CertificateState,
    /// Good until then.
    pub not_after: Timestamp,
    /// When it was signed.
    pub issued_at: Timestamp,
}
