//! Why a session is over: what is written down, and what each end hears.

use gatelodge_proto::{
    payload::EndReason,
    session::{
        Role,
        relay_frame::{PeerLoss, RelayError, RelayFrame},
    },
};

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The cloud ended it, or its time is over.
    Word(EndReason),
    /// An end said why it leaves.
    Said(Role, EndReason),
    /// An end is gone without a word.
    Gone(Role, PeerLoss),
    /// The audit row could not be written.
    Unrecorded,
}

impl Cause {
    /// The reason to write down.
    pub(super) const fn reason(self) -> EndReason {
        match self {
            Self::Word(reason) | Self::Said(_, reason) => reason,
            Self::Gone(Role::Technician, PeerLoss::Left) => EndReason::Technician,
            Self::Gone(Role::Device, PeerLoss::Left) => EndReason::Device,
            Self::Gone(_, PeerLoss::Lost) | Self::Unrecorded => EndReason::RelayLost,
        }
    }

    /// The last frame for the end `role`; none for the one that caused it.
    pub(super) fn last_frame(self, role: Role) -> Option<RelayFrame> {
        match self {
            Self::Said(by, _) | Self::Gone(by, _) if by == role => None,
            Self::Word(reason) | Self::Said(_, reason) => Some(RelayFrame::Revoke { reason }),
            Self::Gone(_, loss) => Some(RelayFrame::PeerDown { loss, retry_ms: 0 }),
            Self::Unrecorded => Some(RelayFrame::Error { code: RelayError::Unavailable, retry_ms: 0 }),
        }
    }

    /// Whether bytes that are on the way should still arrive before the last frame.
    pub(super) const fn is_orderly(self) -> bool {
        match self {
            Self::Said(..) | Self::Gone(_, PeerLoss::Left) => true,
            Self::Word(_) | Self::Gone(_, PeerLoss::Lost) | Self::Unrecorded => false,
        }
    }
}

/// What an end may say about its own leaving: the customer's and the cloud's reasons are not its to give.
pub(super) const fn believable(role: Role, reason: EndReason) -> EndReason {
    match (role, reason) {
        (_, EndReason::Refused | EndReason::RelayLost | EndReason::NeverJoined)
        | (Role::Device, EndReason::Expired | EndReason::Idle) => reason,
        (Role::Device, reason) if reason.is_refusal() => reason,
        (Role::Technician, _) => EndReason::Technician,
        (Role::Device, _) => EndReason::Device,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_gives_the_reason_and_the_other_end_hears_it() {
        let left = Cause::Gone(Role::Technician, PeerLoss::Left);
        assert_eq!(left.reason(), EndReason::Technician);
        assert_eq!(left.last_frame(Role::Technician), None);
        assert_eq!(left.last_frame(Role::Device), Some(RelayFrame::PeerDown { loss: PeerLoss::Left, retry_ms: 0 }));
        let revoked = Cause::Word(EndReason::Revoked);
        for role in [Role::Technician, Role::Device] {
            assert_eq!(revoked.last_frame(role), Some(RelayFrame::Revoke { reason: EndReason::Revoked }));
        }
    }
}
