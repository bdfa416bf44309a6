//! Factors as their user sees them, and why one is not taken.

use gatelodge_proto::Timestamp;
use uuid::Uuid;

use crate::accounts::throttle::Throttled;

/// A passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PasskeyId(pub Uuid);

/// A passkey as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyFacts {
    /// Its id; not the credential's.
    pub id: PasskeyId,
    /// What its user calls it.
    pub name: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// What a user has set up beside the password.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Factors {
    /// Since when an authenticator app, and when its codes were last used.
    pub app: Option<(Timestamp, Option<Timestamp>)>,
    /// Passkeys, the oldest first.
    pub passkeys: Vec<PasskeyFacts>,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
}

impl Factors {
    /// Whether there is a second factor at all; recovery codes alone are none.
    pub fn any(&self) -> bool {
        self.app.is_some() || !self.passkeys.is_empty()
    }
}

/// By what somebody has confirmed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A code of the authenticator app.
    App,
    /// A passkey.
    Passkey,
    /// A recovery code, which is gone now.
    RecoveryCode,
}

impl Proof {
    /// The stable word for audit rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery_code",
        }
    }
}

/// Why a factor is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactorRefusal {
    /// No code of the app at this moment, used already, or no recovery code that is left.
    #[error("this code does not fit: wait for the app's next one and type that, or use a recovery code that is left")]
    WrongCode,
    /// The ceremony's time is over, or it was used.
    #[error("this took too long or was done already: begin again")]
    Stale,
    /// The browser's answer does not prove anything.
    #[error("this passkey was not accepted: try it once more, or use another way")]
    Passkey,
    /// The authenticator has a passkey for this account already, or another account has it.
    #[error("this passkey is known here already")]
    Known,
    /// More passkeys than a person has.
    #[error("an account has {0} passkeys at most: remove one first")]
    TooMany(u32),
    /// The portal's address has no name that a passkey could be bound to.
    #[error("passkeys need a portal with a host name: ask who runs it to set `public_url`")]
    NoName,
    /// Nothing to remove, rename or confirm with.
    #[error("there is no such factor in this account")]
    Unknown,
    /// Too many tries.
    #[error(transparent)]
    Throttled(#[from] Throttled),
}
