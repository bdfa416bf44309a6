//! Is the record of sessions whole?

use std::path::Path;

use super::Finding;
use crate::audit::{self, Unsound};

const NAME: &str = "record";

pub(super) fn check(folder: &Path) -> Finding {
    match audit::verify(folder) {
        Ok(length) => {
            let end = length.end;
            Finding::good(
                NAME,
                format!(
                    "{} entries about sessions and {} about targets, unbroken; ends with {} {:.16}",
                    length.deeds,
                    length.targets,
                    end.number,
                    end.hash.to_string()
                ),
            )
        }
        Err(Unsound::Io(error)) => Finding::note(
            NAME,
            format!("the record cannot be read: {error}"),
            "run this as the agent's user, or as root",
        ),
        Err(Unsound::Broken(broken)) => Finding::bad(
            NAME,
            broken.to_string(),
            "find out who could write to the state folder, and compare with the history in the portal",
        ),
    }
}
