//! `sessions`: who asked for what, and how it went.

use super::SignedIn;
use crate::{
    output::{Failure, Output},
    sentences,
};

pub(super) async fn sessions(by: &SignedIn, live: bool, output: Output) -> Result<(), Failure> {
    let sessions = by.cloud.sessions(live).await?;
    output.value(&sessions);
    let now = by.clock.now();
    let rows = sessions.into_iter().map(|session| {
        let reaches = sentences::reaches(&session);
        let ended = session.end_reason.map(|reason| reason.word().replace('_', " ")).unwrap_or_default();
        [
            sentences::when(session.requested_at, now),
            session.device_name,
            session.technician,
            reaches,
            session.reason.unwrap_or_default(),
            sentences::state(session.state).to_owned(),
            session.ended_at.or(session.until).map(|end| sentences::when(end, now)).unwrap_or_default(),
            ended,
            format!("{} / {}", session.bytes_up, session.bytes_down),
            session.id.to_string(),
        ]
    });
    let heads = [
        "Asked",
        "Device",
        "Technician",
        "Reaches",
        "Reason",
        "State",
        "End",
        "Ended by",
        "Bytes up / down",
        "Session",
    ];
    output.table(heads, rows);
    Ok(())
}
