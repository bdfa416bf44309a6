//! Statements about many rows at once, which cost one way to the database instead of one a row. They come in a few
//! sizes, so that both databases keep each prepared; a list that fits none is filled up with its last row, which
//! changes nothing.

use std::fmt::Write as _;

use super::Tx;

/// Most rows that one statement is about.
const MOST: usize = 256;

/// What a column of a list holds; PostgreSQL wants to be told, SQLite must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// An id.
    Uuid,
    /// A count or a time.
    Integer,
    /// Text.
    Text,
    /// JSON.
    Json,
}

impl Column {
    const fn cast(self) -> &'static str {
        match self {
            Self::Uuid => "::uuid",
            Self::Integer => "::bigint",
            Self::Text => "::text",
            Self::Json => "::jsonb",
        }
    }
}

/// Cuts a list into lists of the sizes that statements come in: powers of two.
pub fn lists<T: Clone>(rows: &[T]) -> impl Iterator<Item = Vec<T>> {
    rows.chunks(MOST).filter_map(|part| {
        let last = part.last()?;
        let size = part.len().next_power_of_two();
        let mut list = Vec::with_capacity(size);
        list.extend_from_slice(part);
        list.resize(size, last.clone());
        Some(list)
    })
}

/// Placeholders for so many rows of these columns, to be bound first: `($1, $2), ($3, $4)`, without numbers on SQLite,
/// where a numbered one is a name that is looked for among all others. Also gives the number of the next placeholder.
pub fn placeholders(tx: &Tx, rows: usize, columns: &[Column]) -> (String, usize) {
    let mut text = String::with_capacity(rows * columns.len() * 6);
    let mut number = 1;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (place, column) in columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = if tx.is_postgres() {
                write!(text, "{comma}${number}{}", column.cast())
            } else {
                write!(text, "{comma}?")
            };
            number += 1;
        }
        text.push(')');
    }
    (text, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_few_sizes_and_lose_nothing() {
        let cut = |count: usize| lists(&(0..count).collect::<Vec<_>>()).map(|list| list.len()).collect::<Vec<_>>();
        assert_eq!(cut(0), [0; 0]);
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(9), [16]);
        assert_eq!(cut(257), [256, 1]);
        assert_eq!(lists(&[1, 2, 3]).next().unwrap(), [1, 2, 3, 3]);
    }
}
