//! A marked block at the head of the hosts file, for computers without a resolver that can be told of one domain.
//! Taking it out gives back the file as it was, byte for byte.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    net::IpAddr,
    path::Path,
};

/// The text with a block of those names in front.
fn with(text: &str, mark: &str, names: &[(String, IpAddr)]) -> String {
    let mut lines = vec![first(mark)];
    lines.extend(names.iter().map(|(name, address)| format!("{address} {name}")));
    lines.extend([last(mark), text.to_owned()]);
    lines.join("\n")
}

/// The text without the block of that mark; the same text when it has none, or only half of one.
fn without(text: &str, mark: &str) -> String {
    let (first, last) = (format!("{}\n", first(mark)), format!("{}\n", last(mark)));
    let Some((before, rest)) = text.split_once(&first) else { return text.to_owned() };
    let Some((_, after)) = rest.split_once(&last) else { return text.to_owned() };
    format!("{before}{after}")
}

fn first(mark: &str) -> String {
    format!("# gatelodge vpn {mark}: names of a session, taken out again at its end")
}

fn last(mark: &str) -> String {
    format!("# gatelodge vpn {mark}: end")
}

/// Puts a block in, in place of one with the same mark.
pub(super) fn put(file: &Path, mark: &str, names: &[(String, IpAddr)]) -> io::Result<()> {
    rewrite(file, |text| with(&without(text, mark), mark, names))
}

/// Takes a block out, when it is there.
pub(super) fn take_out(file: &Path, mark: &str) -> io::Result<()> {
    rewrite(file, |text| without(text, mark))
}

/// In place: the file keeps its owner, mode and label, and it may be a mount of its own that no rename replaces.
fn rewrite(file: &Path, change: impl FnOnce(&str) -> String) -> io::Result<()> {
    let mut file: File = OpenOptions::new().read(true).write(true).open(file)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let changed = change(&text);
    if changed == text {
        return Ok(());
    }
    file.rewind()?;
    file.write_all(changed.as_bytes())?;
    file.set_len(changed.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Vec<(String, IpAddr)> {
        vec![("panel.villa-rosa.gatelodge".into(), "198.18.1.50".parse().unwrap())]
    }

    #[test]
    fn names_are_in_the_file_until_the_block_is_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        std::fs::write(&file, "127.0.0.1 localhost\n::1 localhost").unwrap();
        let read = || std::fs::read_to_string(&file).unwrap();
        put(&file, "gatelodge0", &names()).unwrap();
        put(&file, "gatelodge1", &names()).unwrap();
        put(&file, "gatelodge0", &names()).unwrap();
        assert_eq!(read().matches("198.18.1.50 panel.villa-rosa.gatelodge\n").count(), 2, "{}", read());
        take_out(&file, "gatelodge1").unwrap();
        assert_eq!(read().matches("198.18.1.50").count(), 1);
        take_out(&file, "gatelodge0").unwrap();
        take_out(&file, "gatelodge0").unwrap();
        assert_eq!(read(), "127.0.0.1 localhost\n::1 localhost");
    }

    proptest! {
        #[test]
        fn any_file_is_as_it_was(text in "(\\PC|\n){0,200}", other in any::<bool>()) {
            let text = if other { with(&text, "gatelodge7", &names()) } else { text };
            prop_assert_eq!(without(&with(&text, "gatelodge0", &names()), "gatelodge0"), text);
        }
    }
}
