//! How rows are named and how findings about many rows are told as one. Knows no rule.

use super::Finding;

/// What one look for one kind of damage found: the first row and how many there are.
#[derive(Debug, Default)]
pub(super) struct Rows {
    first: Option<String>,
    count: u64,
}

impl Rows {
    /// One more.
    pub(super) fn add(&mut self, row: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(row);
    }

    /// All of them as one finding, when there are any.
    pub(super) fn told(
        self,
        invariant: &'static str,
        place: &str,
        meaning: &str,
        next: &'static str,
    ) -> Option<Finding> {
        let row = self.first?;
        Some(Finding { invariant, place: place.into(), row, more: self.count - 1, meaning: meaning.into(), next })
    }
}

/// An id as the databases' own tools and our logs write it; other keys stay hex.
pub(super) fn named(hex: &str) -> String {
    uuid::Uuid::try_parse(hex).map_or_else(|_| hex.to_owned(), |id| id.to_string())
}

/// A statement in the words of one database: `{id x}` stands for an id as hex, `{key x}` for bytes as hex.
pub(super) fn in_words_of(postgres: bool, statement: &str) -> String {
    let mut text = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some((before, from)) = rest.split_once('{') {
        let Some((token, after)) = from.split_once('}') else { break };
        text.push_str(before);
        let column = token.split_once(' ').map_or("", |(_, column)| column);
        let (open, close) = match (token.starts_with("id "), postgres) {
            (_, false) => ("lower(hex(", "))"),
            (true, true) => ("replace(CAST(", " AS TEXT), '-', '')"),
            (false, true) => ("encode(", ", 'hex')"),
        };
        text.extend([open, column, close]);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_said_in_both_languages() {
        let statement = "SELECT {id r.id} FROM r WHERE {key r.hash} <> ''";
        assert_eq!(in_words_of(false, statement), "SELECT lower(hex(r.id)) FROM r WHERE lower(hex(r.hash)) <> ''");
        let postgres = "SELECT replace(CAST(r.id AS TEXT), '-', '') FROM r WHERE encode(r.hash, 'hex') <> ''";
        assert_eq!(in_words_of(true, statement), postgres);
    }

    #[test]
    fn many_rows_are_one_line() {
        let mut rows = Rows::default();
        rows.add(|| named("0192f0c1a2b37c4d8e5f60718293a4b5"));
        rows.add(|| "unused".into());
        let line = rows.told("I4", "join_ticket", "a ticket was used twice", "look").unwrap().to_string();
        assert_eq!(
            line,
            "I4  join_ticket 0192f0c1-a2b3-7c4d-8e5f-60718293a4b5 and 1 more: a ticket was used twice; next: look"
        );
        assert!(Rows::default().told("I4", "join_ticket", "", "").is_none());
    }
}
