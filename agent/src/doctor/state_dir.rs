//! Is the state folder there, ours, and closed to others?

use std::{os::unix::fs::MetadataExt as _, path::Path};

use super::Finding;
use crate::state;

const NAME: &str = "state folder";

pub(super) fn check(folder: &Path) -> Finding {
    let shown = folder.display();
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Finding::note(NAME, format!("{shown}: {error}"), "the agent makes it when it starts and may");
        }
    };
    if let Err(error) = state::read_holding(folder) {
        return Finding::bad(NAME, error.to_string(), error.next_step());
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Finding::bad(
            NAME,
            format!("{shown} can be changed by other users (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        );
    }
    Finding::good(NAME, format!("{shown} (mode {mode:o})"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn others_must_not_write_into_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(folder.path()).verdict, Verdict::Good);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let Verdict::Bad { next } = check(folder.path()).verdict else { panic!("a folder open to all is good") };
        assert!(next.starts_with("chmod 700 "));
    }

    #[test]
    fn one_that_is_not_there_yet_is_no_fault() {
        assert!(matches!(check(Path::new("/nowhere/at/all")).verdict, Verdict::Note { .. }));
    }
}
