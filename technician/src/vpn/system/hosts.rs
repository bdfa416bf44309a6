//! A marked block at the end of the hosts file, for computers without a resolver that can be told of one domain.
//! Taking it out gives back the file as it was, byte for byte.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::IpAddr,
    path::Path,
};

/// A block of those names. The empty line before it belongs to it: a file need not end with one.
fn block(mark: &str, names: &[(String, IpAddr)]) -> String {
    let mut lines = vec![String::new(), first(mark)];
    lines.extend(names.iter().map(|(name, address)| format!("{address} {name}")));
    lines.extend([last(mark), String::new()]);
    lines.join("\n")
}

/// The text without the block of that mark; the same text when it has none, or only half of one.
fn without(text: &str, mark: &str) -> String {
    let (first, last) = (format!("\n{}\n", first(mark)), format!("{}\n", last(mark)));
    let Some((before, rest)) = text.split_once(&first) else { return text.to_owned() };
    let Some((_, after)) = rest.split_once(&last) else { return text.to_owned() };
    // What others have written behind the block began a line.
    let begins = before.is_empty() || before.ends_with('\n') || after.is_empty() || after.starts_with('\n');
    if begins { format!("{before}{after}") } else { format!("{before}\n{after}") }
}

fn first(mark: &str) -> String {
    format!("# gatelodge vpn {mark}: names of a session, taken out again at its end")
}

fn last(mark: &str) -> String {
    format!("# gatelodge vpn {mark}: end")
}

/// Puts a block in, in place of one with the same mark.
pub(super) fn put(file: &Path, mark: &str, names: &[(String, IpAddr)]) -> io::Result<()> {
    take_out(file, mark)?;
    let mut file = open(file)?;
    let text = read(&mut file)?;
    change(&mut file, &text, text.len(), &block(mark, names), write)
}

/// Takes a block out, when it is there.
pub(super) fn take_out(file: &Path, mark: &str) -> io::Result<()> {
    let mut file = open(file)?;
    let text = read(&mut file)?;
    let left = without(&text, mark);
    if left == text {
        return Ok(());
    }
    let same = text.bytes().zip(left.bytes()).take_while(|(old, left)| old == left).count();
    let same = text.floor_char_boundary(same);
    change(&mut file, &text, same, &left[same..], write)
}

/// In place: the file keeps its owner, mode and label, and it may be a mount of its own that no rename replaces.
fn open(file: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(file)
}

fn read(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).map(|_| text)
}

fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()
}

/// Makes `rest` what follows the first `at` bytes of the text. Where that cannot be written, the file is as it was: what
/// follows the end of our blocks is seldom more than what was there before, for which there is room.
fn change(
    file: &mut File,
    text: &str,
    at: usize,
    rest: &str,
    write: impl Fn(&mut File, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let changed = file.seek(SeekFrom::Start(at as u64)).and_then(|_| write(file, rest.as_bytes()));
    if let Err(error) = changed {
        file.set_len(text.len() as u64)?;
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(&text.as_bytes()[at..])?;
        return Err(error);
    }
    file.set_len((at + rest.len()) as u64)?;
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
        let before = "127.0.0.1 localhost\n::1 localhost";
        std::fs::write(&file, before).unwrap();
        let read = || std::fs::read_to_string(&file).unwrap();
        put(&file, "gatelodge0", &names()).unwrap();
        put(&file, "gatelodge1", &names()).unwrap();
        put(&file, "gatelodge0", &names()).unwrap();
        assert!(read().starts_with(&format!("{before}\n")), "what was there is where it was: {}", read());
        assert_eq!(read().matches("\n198.18.1.50 panel.villa-rosa.gatelodge\n").count(), 2, "{}", read());
        take_out(&file, "gatelodge1").unwrap();
        assert_eq!(read().matches("198.18.1.50").count(), 1);
        std::fs::write(&file, format!("{}10.0.0.1 nas\n", read())).unwrap();
        take_out(&file, "gatelodge0").unwrap();
        take_out(&file, "gatelodge0").unwrap();
        assert_eq!(read(), format!("{before}\n10.0.0.1 nas\n"), "what others wrote behind it stays");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let text = "127.0.0.1 localhost\n10.0.0.1 nas\n";
        for (at, rest) in [(text.len(), block("gatelodge0", &names())), (20, "10.0.0.2 other\n".to_owned())] {
            std::fs::write(&path, text).unwrap();
            let full = |file: &mut File, bytes: &[u8]| {
                file.write_all(&bytes[..bytes.len() / 2])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            };
            let refused = change(&mut open(&path).unwrap(), text, at, &rest, full).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn any_file_is_as_it_was(text in "(\\PC|\n){0,200}", other in any::<bool>()) {
            let text = if other { text + &block("gatelodge7", &names()) } else { text };
            let with = text.clone() + &block("gatelodge0", &names());
            prop_assert_eq!(without(&with, "gatelodge0"), text);
        }
    }
}
