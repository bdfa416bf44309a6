//! Statements about many rows at once, which cost one way to the database instead of one a row. They come in a few
//! sizes, so that both databases keep each prepared; a list that fits none is filled up with its last row, which
//! changes nothing.

use std::fmt::Write as _;

use super::Tx;

/// How many rows one statement is about.
const SIZES: [usize; 4] = [1, 8, 64, 256];

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

/// Cuts a list into lists of the sizes that statements come in.
pub fn lists<T: Clone>(rows: &[T]) -> impl Iterator<Item = Vec<T>> {
    rows.chunks(SIZES[SIZES.len() - 1]).filter_map(|part| {
        let last = part.last()?;
        let size = SIZES.into_iter().find(|size| *size >= part.len()).unwrap_or(part.len());
        let mut list = part.to_vec();
        list.resize(size, last.clone());
        Some(list)
    })
}

/// `($3, $4), ($5, $6)`: placeholders for so many rows of these columns, counted from `first`.
pub fn placeholders(tx: &Tx, first: usize, rows: usize, columns: &[Column]) -> String {
    let mut text = String::with_capacity(rows * columns.len() * 6);
    let mut number = first;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (place, column) in columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let cast = if tx.is_postgres() { column.cast() } else { "" };
            let _ = write!(text, "{comma}${number}{cast}");
            number += 1;
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_few_sizes_and_lose_nothing() {
        let cut = |count: usize| lists(&(0..count).collect::<Vec<_>>()).map(|list| list.len()).collect::<Vec<_>>();
        assert_eq!(cut(0), [0; 0]);
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(9), [64]);
        assert_eq!(cut(257), [256, 1]);
        assert_eq!(lists(&[1, 2]).next().unwrap(), [1, 2, 2, 2, 2, 2, 2, 2]);
    }
}
