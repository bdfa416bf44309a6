//! `sign-out`: forgets the sign-in on this computer.

use serde_json::json;

use crate::{
    output::{Failure, Output},
    sentences,
    signed_in::Keep,
};

pub(super) fn sign_out(keep: &Keep, output: Output) -> Result<(), Failure> {
    let was = keep.forget()?;
    output.say(if was { sentences::SIGNED_OUT } else { sentences::WAS_SIGNED_OUT });
    output.value(&json!({ "event": "signed_out", "was_signed_in": was }));
    Ok(())
}
