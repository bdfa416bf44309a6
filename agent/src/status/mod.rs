//! What a person may know about the running agent: one picture, kept current, read by the local page and `status`.

mod board;
mod model;

pub use board::Board;
pub use model::{
    IdentityShown, LinkState, LiveSession, OnSiteCodeShown, Problem, SessionLimits, Stage, Status, sentence,
};
