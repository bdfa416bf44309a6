//! What happened on a device.

use serde::{Deserialize, Serialize};

use crate::{
    FlowId, SessionId, Timestamp,
    consent::{Challenge, PinId, PinnedKey},
    identity::OnSiteCode,
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the device's clock.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// The device shows this code from now on, for [`OnSiteCode::VALID`].
    OnSiteCodeShown {
        /// The code; the cloud keeps only its hash.
        code: OnSiteCode,
    },
    /// The device joined a session.
    SessionJoined {
        /// Which.
        session: SessionId,
        /// Until when it lasts there.
        end: KeptEnd,
    },
    /// A target was opened, or refused.
    FlowOpened {
        /// The session.
        session: SessionId,
        /// The flow; the technician's side has the same id.
        flow: FlowId,
        /// `tcp panel.local:80`.
        target: String,
        /// How it went.
        outcome: FlowOutcome,
    },
    /// A target was closed.
    FlowClosed {
        /// The session.
        session: SessionId,
        /// The flow.
        flow: FlowId,
        /// Bytes from the target to the technician.
        bytes_up: u64,
        /// Bytes from the technician to the target.
        bytes_down: u64,
        /// How long it was open, in milliseconds.
        duration_ms: u64,
    },
    /// Rows of one session that were written down together, in their order; never fewer than two. What
    /// [`FlowOpened`](Self::FlowOpened) and [`FlowClosed`](Self::FlowClosed) say, of many targets at once.
    Flows {
        /// The session.
        session: SessionId,
        /// The rows.
        rows: Vec<FlowRow>,
    },
    /// The process of a session has died without its last word: of the targets it opened last, some may be told by nobody.
    RecordCutShort {
        /// The session.
        session: SessionId,
    },
    /// A session's end has moved on the device, too.
    SessionExtended {
        /// Which.
        session: SessionId,
        /// Until when it lasts there.
        end: KeptEnd,
    },
    /// The device does not let a session last longer.
    ExtensionRefused {
        /// Which.
        session: SessionId,
        /// Until when it lasts there; nothing where no such session is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<KeptEnd>,
        /// Why.
        reason: NotLonger,
    },
    /// A session ended on the device.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
        /// Bytes towards the technician.
        bytes_up: u64,
        /// Bytes towards the installation.
        bytes_down: u64,
    },
    /// Somebody at the device has answered a request.
    ConsentPressed {
        /// Which session.
        session: SessionId,
        /// Which draft of its grant they saw.
        draft: Challenge,
        /// Whether they allowed it.
        allowed: bool,
    },
    /// Somebody at the device has pinned the customer's key.
    KeyPinned {
        /// This pinning.
        pin: PinId,
        /// The key.
        key: Box<PinnedKey>,
    },
    /// Somebody at the device did not want the key.
    KeyDeclined {
        /// The key.
        key: Box<PinnedKey>,
    },
    /// The device has forgotten the customer's key.
    KeyForgotten {
        /// Which pinning.
        pin: PinId,
        /// Who said so.
        by: Forgot,
    },
}

/// Who made a device forget the customer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgot {
    /// The key itself.
    Key,
    /// Somebody at the device.
    Device,
}

impl Forgot {
    /// The stable word for databases and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Device => "device",
        }
    }
}

impl Happening {
    /// Which end of which session the device keeps, where this says it.
    pub const fn kept_end(&self) -> Option<(SessionId, KeptEnd)> {
        match self {
            Self::SessionJoined { session, end }
            | Self::SessionExtended { session, end }
            | Self::ExtensionRefused { session, end: Some(end), .. } => Some((*session, *end)),
            Self::ExtensionRefused { end: None, .. }
            | Self::OnSiteCodeShown { .. }
            | Self::FlowOpened { .. }
            | Self::FlowClosed { .. }
            | Self::Flows { .. }
            | Self::RecordCutShort { .. }
            | Self::SessionEnded { .. }
            | Self::ConsentPressed { .. }
            | Self::KeyPinned { .. }
            | Self::KeyDeclined { .. }
            | Self::KeyForgotten { .. } => None,
        }
    }
}

/// When a session ends on the device: the grant's end where it keeps to it, else so much earlier. No clock of the device
/// moves what is told; one that is ahead lets the session end before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEnd {
    /// The end of the grant that the device speaks of.
    pub granted: Timestamp,
    /// The end that it keeps.
    pub until: Timestamp,
}

/// Why a device does not let a session last longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum NotLonger {
    /// Its own settings let no session last longer.
    Longest,
    /// Its own switch for remote access is off.
    Off,
    /// As it knows the customer's rule, nobody may enter.
    Consent,
    /// It has changed hands since.
    Owner,
    /// No such session is open there.
    NotOpen,
    /// The newer grant is not good there.
    Grant,
    /// The customer's key is pinned there and has not signed it.
    Proof,
}

impl NotLonger {
    /// All reasons.
    pub const ALL: [Self; 7] =
        [Self::Longest, Self::Off, Self::Consent, Self::Owner, Self::NotOpen, Self::Grant, Self::Proof];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Longest => "longest",
            Self::Off => "off",
            Self::Consent => "consent",
            Self::Owner => "owner",
            Self::NotOpen => "not_open",
            Self::Grant => "grant",
            Self::Proof => "proof",
        }
    }

    /// The reason with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// One of several rows of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowRow {
    /// A target was opened, or refused.
    Opened {
        /// The flow.
        flow: FlowId,
        /// `tcp panel.local:80`.
        target: String,
        /// How it went.
        outcome: FlowOutcome,
    },
    /// A target was closed.
    Closed {
        /// The flow.
        flow: FlowId,
        /// Bytes from the target to the technician.
        bytes_up: u64,
        /// Bytes from the technician to the target.
        bytes_down: u64,
        /// How long it was open, in milliseconds.
        duration_ms: u64,
    },
}

impl FlowRow {
    /// The row of one thing that happened, and its session; gives back what is none of a flow.
    pub fn of(what: Happening) -> Result<(SessionId, Self), Happening> {
        match what {
            Happening::FlowOpened { session, flow, target, outcome } => {
                Ok((session, Self::Opened { flow, target, outcome }))
            }
            Happening::FlowClosed { session, flow, bytes_up, bytes_down, duration_ms } => {
                Ok((session, Self::Closed { flow, bytes_up, bytes_down, duration_ms }))
            }
            other => Err(other),
        }
    }

    /// The same as a message of its own.
    pub fn alone(self, session: SessionId) -> Happening {
        match self {
            Self::Opened { flow, target, outcome } => Happening::FlowOpened { session, flow, target, outcome },
            Self::Closed { flow, bytes_up, bytes_down, duration_ms } => {
                Happening::FlowClosed { session, flow, bytes_up, bytes_down, duration_ms }
            }
        }
    }
}

/// How opening a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowOutcome {
    /// Open.
    Opened,
    /// Not in the grant or not in the device's own allow-list.
    NotAllowed,
    /// The target refused.
    Refused,
    /// The target did not answer.
    TimedOut,
    /// No way to the target.
    Unreachable,
    /// Its name has no address.
    NoSuchName,
    /// Too many streams.
    Limit,
    /// The target takes no more connections at a time, and all are in use.
    Busy,
}

impl FlowOutcome {
    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::NotAllowed => "not_allowed",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::NoSuchName => "no_such_name",
            Self::Limit => "limit",
            Self::Busy => "busy",
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EndReason {
    /// The technician ended it.
    Technician,
    /// The customer pressed Stop in the portal.
    Customer,
    /// Somebody pressed Stop on the device.
    Device,
    /// Its time was over.
    Expired,
    /// Nothing happened for the idle limit.
    Idle,
    /// A right it stood on fell away: consent, role, registration, certificate.
    Revoked,
    /// The vendor's cloud stopped or lost it.
    RelayLost,
    /// The other side never came.
    NeverJoined,
    /// The inner handshake or the grant failed.
    Refused,
    /// The device's own switch for remote access is off.
    DeviceOff,
    /// As the device knows the customer's rule, nobody may enter.
    DeviceConsent,
    /// The device has changed hands since.
    DeviceOwner,
    /// The device's own settings list none of the services.
    DeviceServices,
    /// The device carries no more sessions.
    DeviceBusy,
    /// By the device's clock the order or the grant came too late.
    DeviceClock,
    /// The device tried to open it and could not.
    DeviceFault,
    /// The customer's key is pinned on the device, and neither it nor a press there has allowed this.
    DeviceProof,
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 17] = [
        Self::Technician,
        Self::Customer,
        Self::Device,
        Self::Expired,
        Self::Idle,
        Self::Revoked,
        Self::RelayLost,
        Self::NeverJoined,
        Self::Refused,
        Self::DeviceOff,
        Self::DeviceConsent,
        Self::DeviceOwner,
        Self::DeviceServices,
        Self::DeviceBusy,
        Self::DeviceClock,
        Self::DeviceFault,
        Self::DeviceProof,
    ];

    /// The stable word for databases, APIs and locale keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Customer => "customer",
            Self::Device => "device",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Revoked => "revoked",
            Self::RelayLost => "relay_lost",
            Self::NeverJoined => "never_joined",
            Self::Refused => "refused",
            Self::DeviceOff => "device_off",
            Self::DeviceConsent => "device_consent",
            Self::DeviceOwner => "device_owner",
            Self::DeviceServices => "device_services",
            Self::DeviceBusy => "device_busy",
            Self::DeviceClock => "device_clock",
            Self::DeviceFault => "device_fault",
            Self::DeviceProof => "device_proof",
        }
    }

    /// Whether it says why a device does not open a session that it was told to.
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::Refused
            | Self::DeviceOff
            | Self::DeviceConsent
            | Self::DeviceOwner
            | Self::DeviceServices
            | Self::DeviceBusy
            | Self::DeviceClock
            | Self::DeviceFault
            | Self::DeviceProof => true,
            Self::Technician
            | Self::Customer
            | Self::Device
            | Self::Expired
            | Self::Idle
            | Self::Revoked
            | Self::RelayLost
            | Self::NeverJoined => false,
        }
    }

    /// The reason with this [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}
