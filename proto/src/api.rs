//! Shapes of the JSON API (`/api/v1`) that the technician's program and the cloud share.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    DeviceId, SessionId, Timestamp,
    consent::ConsentKind,
    grant::SignedGrant,
    identity::{EmailAddress, IdCode, WebAddress},
    opening::Opening,
    payload::{
        Consent, EndReason, Feature, Life, Listen, Network, NotLonger, Preset, Service, ServiceName, TicketNumber,
    },
};

/// `POST` without a body: begins a sign-in by browser approval (RFC 8628); answers [`SignInStarted`].
pub const SIGN_IN_PATH: &str = "/api/v1/sign-in/device";
/// `POST` [`SignInPoll`]: [`SignedIn`], or a [`Problem`] with code `authorization_pending`, `slow_down`,
/// `access_denied` or `expired_token` (RFC 8628 section 3.5).
pub const SIGN_IN_TOKEN_PATH: &str = "/api/v1/sign-in/token";
/// `GET` [`Page`] of [`DeviceView`].
pub const DEVICES_PATH: &str = "/api/v1/devices";
/// `GET` [`Page`] of [`SessionView`]; `POST` [`SessionRequest`] -> [`SessionView`].
/// `GET {id}` -> [`SessionView`], `POST {id}/join` -> [`Join`], `POST {id}/stop` -> [`SessionView`],
/// `POST {id}/extend` [`ExtensionRequest`] -> [`SessionView`].
pub const SESSIONS_PATH: &str = "/api/v1/sessions";
/// Web socket of the relay.
pub const RELAY_PATH: &str = "/relay/v1";

/// What went wrong (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `https://gatelodge.dev/problems/{code}`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, in a sentence.
    pub detail: String,
    /// Stable machine code, like `consent_needed`.
    pub code: String,
    /// What to do next, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The fields that are wrong, for forms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldProblem {
    /// The field's name in the request.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it as `?cursor=` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Something that happened, as an organisation may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryEntry {
    /// Its id, in time order.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// `user`, `device`, `cloud` or `operator`.
    pub actor_kind: String,
    /// The name at that moment; empty once it was erased.
    pub actor: String,
    /// What, as a stable word like `session_ended`.
    pub what: String,
    /// On which device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// More: of a session its technician, reason, services, bytes and end; of a target its flow.
    pub details: serde_json::Value,
    /// Whose chain it is a link of: the device, else the user, else nobody's.
    pub chain: Uuid,
    /// Which link of it, from 1.
    pub place: u64,
    /// SHA-256 that the next link holds, hex.
    pub hash: String,
}

/// A sign-in has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignInStarted {
    /// Secret of this program; poll with it.
    pub device_code: String,
    /// What the person compares or types, like `WDJB-MJHT`.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same with the code filled in.
    pub verification_uri_complete: String,
    /// Seconds until it lapses.
    pub expires_in: u32,
    /// Seconds between polls.
    pub interval: u32,
}

/// Asks whether the person has approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignInPoll {
    /// From [`SignInStarted`].
    pub device_code: String,
}

/// The person has approved.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// Bearer token for the API.
    pub token: String,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Who signed in.
    pub email: EmailAddress,
    /// Their name.
    pub name: String,
    /// For which organisation.
    pub organisation: String,
}

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Presence {
    /// Now.
    pub online: bool,
    /// Since when; absent when it was never there.
    pub since: Option<Timestamp>,
}

/// A device as its people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// Its ID code.
    pub id_code: IdCode,
    /// What to call it: its web address, else its product and ID code.
    pub name: String,
    /// The product's name.
    pub product: String,
    /// Where it stands.
    pub life: Life,
    /// Whether it is there.
    pub presence: Presence,
    /// Its web address.
    pub web_address: Option<WebAddress>,
    /// The customer, once known.
    pub customer: Option<String>,
    /// The consent in force.
    pub consent: Option<Consent>,
    /// What the rule says beside that: hours, until when the device is open, and who may enter in an emergency.
    #[serde(default, skip_serializing_if = "Opening::is_empty")]
    pub opening: Opening,
    /// What a session may reach.
    pub services: Vec<Service>,
    /// Which networks a session may reach as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Where the installation calls the technician's computer, when a session is asked for with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<Listen>,
    /// What a session may do there beside that, when it is asked for with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Its services by what they are for, so that nobody needs to know ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<Preset>,
}

/// Asks for a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionRequest {
    /// To which device.
    pub device: DeviceId,
    /// To which of its services.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// To which of its networks, as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<ServiceName>,
    /// At which of its ports the installation may call the technician's computer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<ServiceName>,
    /// What it is to do beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Why, when the technician says so; shown to the customer and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Under which number the installer keeps the work; shown to the customer and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_number: Option<TicketNumber>,
    /// Whether it is an emergency: where the customer has agreed to it, nobody is asked, and everybody is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// For how long, in minutes; at most the cloud's `sessions.max_minutes`, which its refusal names.
    pub minutes: u32,
    /// PKCS #10 of the session's own key, PEM.
    pub csr: String,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SessionState {
    /// The customer has been asked.
    Waiting,
    /// Allowed; both sides may join.
    Open,
    /// The customer said no, or the rule is never.
    Refused,
    /// Over.
    Ended,
}

impl SessionState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Open, Self::Refused, Self::Ended];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }

    /// The state with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Asks that a session may last longer; from a customer, lets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExtensionRequest {
    /// By how much, in minutes; at most the cloud's `sessions.max_minutes`, which its refusal names.
    pub minutes: u32,
}

/// What became of the wish that a session may last longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ExtensionState {
    /// The customer has been asked.
    Asked,
    /// The customer gave it; the device has not said yet what it makes of it.
    Given,
    /// The device keeps to it, as far as its own settings let it.
    Taken,
    /// The customer said no.
    Declined,
    /// The device does not let the session last longer.
    Refused,
}

impl ExtensionState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Asked, Self::Given, Self::Taken, Self::Declined, Self::Refused];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Given => "given",
            Self::Taken => "taken",
            Self::Declined => "declined",
            Self::Refused => "refused",
        }
    }

    /// The state with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A wish that a session may last longer, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExtensionView {
    /// By how much, in minutes.
    pub minutes: u32,
    /// When it was said.
    pub at: Timestamp,
    /// Where it stands.
    pub state: ExtensionState,
    /// Why the device refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<NotLonger>,
}

/// A session as its people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// The device.
    pub device: DeviceId,
    /// What the device is called.
    pub device_name: String,
    /// Who asked.
    pub technician: String,
    /// For which organisation.
    pub organisation: String,
    /// To which services.
    pub services: Vec<ServiceName>,
    /// To which networks, as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Where the installation may call the technician's computer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<Listen>,
    /// What it may do beside that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Why, when the technician said so.
    pub reason: Option<String>,
    /// Under which number the installer keeps the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_number: Option<TicketNumber>,
    /// Whether it was opened in an emergency without an answer of the customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Where it stands.
    pub state: SessionState,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// From when it was open.
    pub opened_at: Option<Timestamp>,
    /// Until when it may last.
    pub until: Option<Timestamp>,
    /// Whether the device's own settings end it then, whatever was allowed, and let nobody extend it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub longest: bool,
    /// On what consent it was opened, and lengthened last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_kind: Option<ConsentKind>,
    /// The latest wish that it may last longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionView>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Bytes towards the technician.
    pub bytes_up: u64,
    /// Bytes towards the installation.
    pub bytes_down: u64,
}

/// What the technician's side needs to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Join {
    /// The relay's address (`wss://...`).
    pub relay: String,
    /// One-use join ticket, 128 bits in hex, good for 30 s.
    pub ticket: String,
    /// PEM chain for the session's key.
    pub chain: String,
    /// PEM of the CA that signs devices.
    pub device_ca: String,
    /// The device whose certificate must answer.
    pub device: DeviceId,
    /// What was allowed.
    pub grant: SignedGrant,
    /// Until when.
    pub until: Timestamp,
}
