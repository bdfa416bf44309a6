//! What pages of several features need of sessions: a row for a reader.

use gatelodge_proto::{api::SessionState, consent::ConsentKind, payload::Listen};

use super::{
    extend::UNASKED,
    model::{NamedSession, is_live},
};
use crate::{
    accounts::model::{Member, OrganisationKind, Role},
    config::Sessions,
    render::pages::{Call, ProvenBy, SessionRow},
};

/// Who may call the technician's computer, and where.
pub(super) fn call(listen: &Listen) -> Call {
    let Listen { name, protocol, port, from } = listen;
    Call { from: from.to_string(), port: format!("{} {port} ({name})", protocol.word()) }
}

/// A session as a row, for this reader.
pub fn row(session: NamedSession, reader: &Member, limits: &Sessions) -> SessionRow {
    let view = session.view;
    let leads = matches!(reader.role, Role::Administrator | Role::Supervisor);
    let live = is_live(view.state);
    let decides = reader.kind == OrganisationKind::Customer && leads;
    let may_stop = live
        && (decides || (reader.kind == OrganisationKind::Installer && (leads || session.technician == reader.user_id)));
    SessionRow {
        id: view.id,
        device: view.device,
        device_name: view.device_name,
        technician: view.technician,
        organisation: view.organisation,
        services: view.services.iter().map(ToString::to_string).collect(),
        networks: view.networks.iter().map(|network| network.subnet.to_string()).collect(),
        calls: view.listens.iter().map(call).collect(),
        features: view.features,
        ticket_number: view.ticket_number.map(String::from),
        reason: view.reason,
        break_glass: view.break_glass,
        minutes: session.minutes,
        state: view.state,
        requested_at: view.requested_at,
        opened_at: view.opened_at,
        until: view.until,
        longest: view.longest && view.state == SessionState::Open,
        ended_at: view.ended_at,
        end_reason: view.end_reason,
        bytes: view.bytes_up.saturating_add(view.bytes_down),
        proven_by: view.consent_kind.map(|kind| match kind {
            ConsentKind::Cloud if session.asked => ProvenBy::Asked,
            ConsentKind::Cloud if view.break_glass => ProvenBy::BreakGlass,
            ConsentKind::Cloud => ProvenBy::Rule,
            kind => ProvenBy::Device(kind),
        }),
        signs: session.signs && live && decides,
        extension: view.extension.filter(|_| view.state == SessionState::Open),
        may_stop,
        may_extend: (decides && view.state == SessionState::Open && !view.longest)
            .then_some(UNASKED.min(limits.max_minutes)),
        may_decide: decides && view.state == SessionState::Waiting,
    }
}
