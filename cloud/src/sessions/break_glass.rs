//! Break-glass: a technician enters in an emergency without an answer, because the customer has agreed to it earlier. Never
//! where the rule is *never*, never past the device's own switch or pinned key, and never without telling everybody.

use std::time::Duration;

use gatelodge_proto::{
    DeviceId, Timestamp,
    opening::{BREAK_GLASS_PER_DAY, BreakGlass},
};

use crate::{
    accounts::{
        model::{Member, Role},
        service::{Throttled, throttle_within},
    },
    db::{DbError, Tx},
};

/// On one device in a day: an emergency is no habit.
const DAY: Duration = Duration::from_secs(86_400);

/// Why nobody enters without an answer.
#[derive(Debug, thiserror::Error)]
pub enum NoBreakGlass {
    /// Nothing was agreed, or it was withdrawn.
    #[error("the customer has not agreed that anybody may enter here in an emergency without asking")]
    NotAgreed,
    /// The device takes the customer's key alone for it.
    #[error(
        "the customer's passkey is pinned on this device, and it has not signed that you may enter in an emergency: ask for a session"
    )]
    Pinned,
    /// Agreed for others.
    #[error("the customer has agreed to emergencies for a higher role than yours: ask who leads your organisation")]
    NotYou,
    /// The customer reads it.
    #[error("say why it is an emergency; the customer reads it")]
    NoReason,
    /// Too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
}

/// Whether what the customer agreed to covers this role.
pub const fn covers(agreed: BreakGlass, role: Role) -> bool {
    match (agreed, role) {
        (_, Role::Administrator)
        | (BreakGlass::Supervisor | BreakGlass::Technician, Role::Supervisor)
        | (BreakGlass::Technician, Role::Technician) => true,
        (BreakGlass::Administrator, Role::Supervisor | Role::Technician)
        | (BreakGlass::Supervisor, Role::Technician)
        | (_, Role::Basic) => false,
    }
}

/// Checks what was agreed, for whom, and that a reason was written; counts the use.
pub(super) async fn check(
    tx: &mut Tx,
    now: Timestamp,
    device: DeviceId,
    agreed: Option<BreakGlass>,
    by: &Member,
    reason: Option<&str>,
) -> Result<Result<(), NoBreakGlass>, DbError> {
    let Some(agreed) = agreed else { return Ok(Err(NoBreakGlass::NotAgreed)) };
    if !covers(agreed, by.role) {
        return Ok(Err(NoBreakGlass::NotYou));
    }
    if reason.is_none() {
        return Ok(Err(NoBreakGlass::NoReason));
    }
    let uses = throttle_within(tx, now, "break_glass", &device.to_string(), BREAK_GLASS_PER_DAY, DAY).await?;
    Ok(uses.map_err(NoBreakGlass::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_and_those_above_it_are_covered() {
        let covered = |agreed| Role::ALL.map(|role| covers(agreed, role));
        assert_eq!(covered(BreakGlass::Administrator), [true, false, false, false]);
        assert_eq!(covered(BreakGlass::Supervisor), [true, true, false, false]);
        assert_eq!(covered(BreakGlass::Technician), [true, true, true, false]);
    }
}
