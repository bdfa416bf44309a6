//! The default file, as `config --print-default` writes it.

use std::fmt::Write as _;

use super::Key;

const WIDTH: usize = 100;

/// The whole default file: each key with its comment; keys without a default stand commented out.
///
/// `head` is the comment at the top, `prefix` the one of the environment variables.
pub fn print_default(head: &str, prefix: &str, keys: &[Key]) -> String {
    let mut out = String::new();
    comment(&mut out, head);
    comment(
        &mut out,
        &format!(
            "Each key may also be set by an environment variable, which then wins: `http.listen` is {prefix}__HTTP__LISTEN."
        ),
    );
    let (plain, tabled): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| !key.path.contains('.'));
    for key in plain {
        entry(&mut out, key.path, key, false);
    }
    let mut section = "";
    for key in tabled {
        let Some((table, name)) = key.path.rsplit_once('.') else { continue };
        let repeated = key.is_repeated();
        if table != section {
            section = table;
            let _ = match table.strip_suffix("[]") {
                Some(array) => writeln!(out, "\n# [[{array}]]"),
                None => writeln!(out, "\n[{table}]"),
            };
        }
        entry(&mut out, name, key, repeated);
    }
    out
}

fn entry(out: &mut String, name: &str, key: &Key, commented: bool) {
    comment(out, key.about);
    let _ = match key.default {
        Some(value) if !commented => writeln!(out, "{name} = {value}"),
        Some(value) => writeln!(out, "# {name} = {value}"),
        None => writeln!(out, "# {name} = \"\""),
    };
}

fn comment(out: &mut String, text: &str) {
    out.push('\n');
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}
