//! What a person may know about the running agent: one picture, kept current, read by the local page and `status`.

mod board;
mod model;

pub use board::Board;
pub use model::{
    ConsentShown, IdentityShown, LinkState, LiveSession, OfferShown, OnSiteCodeShown, PinShown, Problem, SessionLimits,
    Stage, Status, WantedShown, sentence,
};
