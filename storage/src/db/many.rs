//! Statements that write many rows: a round trip to the database costs more than a row.

use std::sync::OnceLock;

use sqlx::AssertSqlSafe;

use super::{Query, Tx, execute};
use crate::Result;

/// Rows in one statement. Always one of these numbers, so that few statements are prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// `INSERT INTO … VALUES` with any number of rows.
pub(crate) struct Many {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    texts: [OnceLock<String>; SIZES.len()],
}

impl Many {
    /// `head VALUES (…), (…) tail`, with `columns` values in each row.
    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self {
            head,
            columns,
            tail,
            texts: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// Writes rows in their order; `bind` binds the values of one. With `DO UPDATE` no two of them may be the same row.
    pub(crate) async fn write<T: Sync>(
        &'static self,
        tx: &mut Tx,
        rows: &[T],
        bind: impl Fn(Query, &T) -> Query,
    ) -> Result<()> {
        let mut rest = rows;
        for (size, text) in SIZES.into_iter().zip(&self.texts) {
            let text = text.get_or_init(|| self.text(size));
            while let Some((chunk, after)) = rest.split_at_checked(size) {
                // Safe: literals and the numbers of the values.
                let query = sqlx::query(AssertSqlSafe(text.as_str()));
                execute(tx, chunk.iter().fold(query, &bind)).await?;
                rest = after;
            }
        }
        Ok(())
    }

    fn text(&self, rows: usize) -> String {
        let row = |row: usize| {
            let values =
                (1..=self.columns).map(|column| format!("${}", row * self.columns + column));
            format!("({})", values.collect::<Vec<_>>().join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("{} VALUES {} {}", self.head, rows.join(", "), self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_through() {
        let many = Many::new("INSERT INTO t (a, b)", 2, "ON CONFLICT DO NOTHING");
        assert_eq!(
            many.text(2),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING"
        );
    }
}
