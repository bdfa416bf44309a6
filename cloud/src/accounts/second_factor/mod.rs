//! What a user shows beside the password: codes of an authenticator app, passkeys, and recovery codes for the day when
//! both are lost. Knows nothing of sessions; whoever needs a confirmed person asks [`check`].
//!
//! [`RelyingParty`] and [`ceremony`] also serve features that want a passkey for a purpose of their own.

mod app;
pub mod ceremony;
mod confirm;
mod jobs;
mod model;
mod passkeys;
mod proven;
mod recovery;
mod relying_party;
mod service;
mod step_up;
mod store;

pub use app::AppSecret;
pub(super) use confirm::{assertion_of, count_try, forgive, verify_assertion, verify_code};
pub use confirm::{begin_assertion, by_code, by_passkey, by_password};
pub(super) use jobs::{Changed, MAIL, What};
pub use model::{FactorRefusal, Factors, PasskeyFacts, PasskeyId, Proof};
pub use passkeys::{add as add_passkey, begin as begin_passkey, remove as remove_passkey, rename as rename_passkey};
pub(super) use passkeys::{begin_sign_in, finish_sign_in};
pub use proven::Proven;
pub use recovery::RecoveryCode;
pub use relying_party::{Begun, RelyingParty};
pub use service::{
    AppUnderWay, add_app, app_under_way, begin_app, factors, make_recovery_codes, remove_all, remove_app,
};
pub use step_up::{SecondFactorNeeded, check};
pub(super) use store::any;
