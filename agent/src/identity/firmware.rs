//! The operating system or firmware with its version, from os-release(5).

use std::path::Path;

use super::text_of;

pub(super) fn read(root: &Path) -> String {
    let text = text_of(root, "etc/os-release").or_else(|| text_of(root, "usr/lib/os-release"));
    text.as_deref()
        .and_then(|text| value(text, "PRETTY_NAME").or_else(|| value(text, "NAME")))
        .or_else(|| text_of(root, "proc/sys/kernel/osrelease").map(|version| format!("Linux {version}")))
        .unwrap_or_else(|| "unknown".into())
}

fn value(text: &str, name: &str) -> Option<String> {
    let raw = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?.trim();
    let unquoted = raw.trim_matches(|c| c == '"' || c == '\'');
    let shown: String = unquoted.chars().filter(|c| !c.is_control()).take(80).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tree;

    #[test]
    fn the_pretty_name_then_the_name_then_the_kernel() {
        let debian = tree(&[("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")]);
        assert_eq!(super::read(debian.path()), "Debian GNU/Linux 12 (bookworm)");
        let alpine = tree(&[("usr/lib/os-release", "NAME='Alpine Linux'\n")]);
        assert_eq!(super::read(alpine.path()), "Alpine Linux");
        let bare = tree(&[("proc/sys/kernel/osrelease", "6.1.0\n")]);
        assert_eq!(super::read(bare.path()), "Linux 6.1.0");
        assert_eq!(super::read(tree(&[]).path()), "unknown");
    }
}
