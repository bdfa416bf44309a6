//! What the device writes down of its sessions and of its customer's rule.

use gatelodge_proto::{
    FlowId, OrganisationId, SessionId, Timestamp, UserId,
    grant::Grant,
    payload::{
        Consent, DeviceState, EndReason, FlowOutcome, FlowRow, Forgot, Happening, Life, NotLonger, TicketNumber,
    },
};
use serde::{Deserialize, Serialize};

use super::chain::Mark;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Deed {
    /// A session was let in.
    SessionOpened(Box<Visit>),
    /// A session was turned away.
    SessionRefused {
        /// As far as the order could be read.
        visit: Option<Box<Visit>>,
        /// In a sentence.
        reason: String,
        /// The same as an end of the session, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<EndReason>,
    },
    /// The technician's side has come.
    SessionJoined {
        /// Which.
        session: SessionId,
        /// Until when it lasts here.
        until: Timestamp,
    },
    /// It may last longer.
    SessionExtended {
        /// Which.
        session: SessionId,
        /// Until when.
        until: Timestamp,
    },
    /// It may not last longer.
    ExtensionRefused {
        /// Which.
        session: SessionId,
        /// Why.
        reason: NotLonger,
    },
    /// The process of a session died without its last word.
    RecordCutShort {
        /// Which.
        session: SessionId,
    },
    /// It is over.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
        /// Bytes towards the technician.
        bytes_up: u64,
        /// Bytes towards the installation.
        bytes_down: u64,
        /// How far the list of targets went then.
        targets: Mark,
    },
    /// The cloud has told whose the device is, and who may enter.
    RuleTold {
        /// Where the device stands.
        life: Life,
        /// For whom.
        customer: Option<String>,
        /// By which installer.
        installer: Option<String>,
        /// Who may enter.
        consent: Consent,
    },
    /// Somebody at the device has answered a request.
    ConsentPressed {
        /// For which session.
        session: SessionId,
        /// Whether they allowed it.
        allowed: bool,
    },
    /// Somebody at the device has pinned the customer's key.
    KeyPinned {
        /// By what people know it.
        fingerprint: String,
    },
    /// The customer's key was taken away.
    KeyForgotten {
        /// Who said so.
        by: Forgot,
    },
    /// What was kept was erased, as the owner changed.
    Erased,
}

/// Who came, for whom, why and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The session.
    pub session: SessionId,
    /// The technician.
    pub technician: String,
    /// Their user id at the cloud.
    pub technician_id: UserId,
    /// Their organisation.
    pub organisation: String,
    /// Its id at the cloud.
    pub organisation_id: OrganisationId,
    /// What was asked for: services, networks, ports for calls and features.
    pub reach: Vec<String>,
    /// Why, when they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Under which number the installer keeps the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_number: Option<TicketNumber>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The customer's rule at that moment.
    pub consent: Consent,
    /// Whether nobody was asked, as the customer has agreed for emergencies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

impl Visit {
    /// What a grant says.
    pub fn of(grant: &Grant) -> Self {
        let services = grant.services.iter().map(|service| service.name.to_string());
        let networks = grant.networks.iter().map(|network| network.subnet.to_string());
        let listens =
            grant.listens.iter().map(|listen| format!("{} {} {}", listen.name, listen.protocol.word(), listen.port));
        let features = grant.features.iter().map(ToString::to_string);
        Self {
            session: grant.session,
            technician: grant.technician.name.clone(),
            technician_id: grant.technician.user,
            organisation: grant.technician.organisation_name.clone(),
            organisation_id: grant.technician.organisation,
            reach: services.chain(networks).chain(listens).chain(features).collect(),
            reason: grant.reason.clone(),
            ticket_number: grant.ticket_number.clone(),
            from: grant.from,
            until: grant.until,
            consent: grant.consent,
            break_glass: grant.break_glass,
        }
    }
}

impl Deed {
    /// Which session it is about.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::SessionOpened(visit) => Some(visit.session),
            Self::SessionRefused { visit, .. } => visit.as_ref().map(|visit| visit.session),
            Self::SessionJoined { session, .. }
            | Self::SessionExtended { session, .. }
            | Self::ExtensionRefused { session, .. }
            | Self::RecordCutShort { session }
            | Self::SessionEnded { session, .. }
            | Self::ConsentPressed { session, .. } => Some(*session),
            Self::RuleTold { .. } | Self::KeyPinned { .. } | Self::KeyForgotten { .. } | Self::Erased => None,
        }
    }

    /// What the cloud has told; nothing where it tells the same again.
    pub(crate) fn told(before: Option<&DeviceState>, now: &DeviceState) -> Option<Self> {
        let rule = |state: &DeviceState| Self::RuleTold {
            life: state.life,
            customer: state.customer.clone(),
            installer: state.installer.clone(),
            consent: state.consent,
        };
        let told = rule(now);
        (before.map(rule).as_ref() != Some(&told)).then_some(told)
    }
}

/// A target, opened or closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRow {
    /// The session.
    pub session: SessionId,
    /// What.
    #[serde(flatten)]
    pub what: TargetDeed,
}

/// What happened to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TargetDeed {
    /// It was opened, or refused.
    TargetOpened {
        /// The flow; the cloud's history has the same id.
        flow: FlowId,
        /// `tcp panel.local:80`.
        target: String,
        /// How it went.
        outcome: FlowOutcome,
    },
    /// It was closed.
    TargetClosed {
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

impl TargetRow {
    fn of(session: SessionId, row: FlowRow) -> Self {
        let what = match row {
            FlowRow::Opened { flow, target, outcome } => TargetDeed::TargetOpened { flow, target, outcome },
            FlowRow::Closed { flow, bytes_up, bytes_down, duration_ms } => {
                TargetDeed::TargetClosed { flow, bytes_up, bytes_down, duration_ms }
            }
        };
        Self { session, what }
    }
}

/// Where something that a session told is written down.
pub(super) enum Told {
    Deed(Deed),
    /// The end of a session, which says how far the targets go.
    End {
        session: SessionId,
        reason: EndReason,
        bytes_up: u64,
        bytes_down: u64,
    },
    Targets(Vec<TargetRow>),
    /// It is not about a session.
    Nothing,
}

impl From<Happening> for Told {
    fn from(what: Happening) -> Self {
        match what {
            Happening::SessionJoined { session, end } => Self::Deed(Deed::SessionJoined { session, until: end.until }),
            Happening::SessionExtended { session, end } => {
                Self::Deed(Deed::SessionExtended { session, until: end.until })
            }
            Happening::ExtensionRefused { session, reason, .. } => {
                Self::Deed(Deed::ExtensionRefused { session, reason })
            }
            Happening::RecordCutShort { session } => Self::Deed(Deed::RecordCutShort { session }),
            Happening::SessionEnded { session, reason, bytes_up, bytes_down } => {
                Self::End { session, reason, bytes_up, bytes_down }
            }
            Happening::Flows { session, rows } => {
                Self::Targets(rows.into_iter().map(|row| TargetRow::of(session, row)).collect())
            }
            flow @ (Happening::FlowOpened { .. } | Happening::FlowClosed { .. }) => match FlowRow::of(flow) {
                Ok((session, row)) => Self::Targets(vec![TargetRow::of(session, row)]),
                Err(_) => Self::Nothing,
            },
            Happening::ConsentPressed { session, allowed, .. } => Self::Deed(Deed::ConsentPressed { session, allowed }),
            Happening::KeyPinned { key, .. } => Self::Deed(Deed::KeyPinned { fingerprint: key.fingerprint() }),
            Happening::KeyForgotten { by, .. } => Self::Deed(Deed::KeyForgotten { by }),
            Happening::OnSiteCodeShown { .. } | Happening::KeyDeclined { .. } => Self::Nothing,
        }
    }
}
