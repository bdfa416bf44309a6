//! `sessions`: who asked for what, and how it went.

use super::SignedIn;
use crate::{
    output::{Failure, Output},
    sentences,
};

pub(super) async fn sessions(by: &SignedIn, live: bool, output: Output) -> Result<(), Failure> {
    let sessions = by.cloud.sessions(live).await?;
    output.value(&sessions);
    let rows = sessions.into_iter().map(|session| {
        let services: Vec<_> = session.services.iter().map(ToString::to_string).collect();
        let ended = session.end_reason.map(|reason| reason.word().replace('_', " ")).unwrap_or_default();
        [
            session.requested_at.to_string(),
            session.device_name,
            session.technician,
            services.join(", "),
            session.reason.unwrap_or_default(),
            sentences::state(session.state).to_owned(),
            ended,
            format!("{} / {}", session.bytes_up, session.bytes_down),
        ]
    });
    output.table(["Asked", "Device", "Technician", "Services", "Reason", "State", "Ended by", "Bytes up / down"], rows);
    Ok(())
}
