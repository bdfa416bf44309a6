//! The words of copies and of folders.

use gatelodge_proto::session::files::EntryKind;

pub(crate) const CP_NOWHERE: &str = "a copy needs a source and a destination";
pub(crate) const CP_ONE_SIDE: &str = "one side of a copy is this computer, the other is a device";
pub(crate) const CP_ONE_DEVICE: &str = "one copy is with one device";
pub(crate) const CP_NO_FILE: &str = "the device's side names no file";
pub(crate) const CP_NO_FOLDER: &str = "several files go into a folder, and the destination is none";
pub(crate) const CP_NO_DEVICE_FOLDER: &str = "the device's side names no folder";
pub(crate) const NEXT_CP: &str = "write it like: gatelodge cp villa-rosa:logs/panel.log .";
pub(crate) const NEXT_OFFER_FILES: &str = "have a folder offered: [[folders]] in the settings of the device's agent";
pub(crate) const NEXT_FILES: &str =
    "gatelodge files DEVICE shows the folders, gatelodge files DEVICE:FOLDER what is in one";
pub(crate) const NEXT_AGAIN_GOES_ON: &str = "run the same command again; it goes on where it was";
pub(crate) const NEXT_HERE: &str = "check the file's name, owner and space on this computer";

pub(crate) fn no_files(device: &str) -> String {
    format!("{device} offers no folders for files")
}

pub(crate) fn copied(from: &str, to: &str, size: u64) -> String {
    format!("{from} is at {to}, {}, whole", bytes(size))
}

/// Like `2.3 MB`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_999 => format!("{}.{} kB", count / 1_000, count % 1_000 / 100),
        1_000_000..=999_999_999 => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
        _ => format!("{}.{} GB", count / 1_000_000_000, count % 1_000_000_000 / 100_000_000),
    }
}

pub(crate) const fn kind_of_entry(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Folder => "folder",
        EntryKind::Open => "folder, takes files",
        EntryKind::Other => "other",
    }
}
