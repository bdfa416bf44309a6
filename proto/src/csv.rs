//! Lines of CSV (RFC 4180) that no spreadsheet takes for formulas.

/// One line without its end. Each cell is quoted; one that a spreadsheet would calculate (`=`, `+`, `-`, `@`, tab or
/// carriage return first, as OWASP's "CSV injection" lists them) gets an apostrophe before it.
pub fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut line = String::new();
    for cell in cells {
        if !line.is_empty() {
            line.push(',');
        }
        let cell = cell.as_ref();
        line.push('"');
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            line.push('\'');
        }
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_formulas_are_words() {
        assert_eq!(
            line(["a", "say \"hi\", twice", "", "two\nlines"]),
            "\"a\",\"say \"\"hi\"\", twice\",\"\",\"two\nlines\""
        );
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(line([formula]), format!("\"'{formula}\""));
        }
    }
}
