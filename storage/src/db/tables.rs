//! The tables there are and their columns, as the database says, and inserting rows that are given as JSON.

use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;

use super::{Backend, Db, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};

/// Where the migrations are on record.
const MIGRATIONS: &str = "_sqlx_migrations";

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Else it holds whole numbers.
    is_text: bool,
}

impl Record for Column {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.text("name")?,
            is_text: row.text("type")?.eq_ignore_ascii_case("text"),
        })
    }
}

impl Db {
    /// The names of all tables but that of the migrations.
    pub(crate) async fn tables(&self) -> Result<Vec<String>> {
        let mut names = self.names().await?;
        names.retain(|name| name != MIGRATIONS);
        Ok(names)
    }

    async fn names(&self) -> Result<Vec<String>> {
        let text = match self.0.backend {
            Backend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            }
            Backend::Postgres => {
                "SELECT CAST(tablename AS TEXT) AS name FROM pg_catalog.pg_tables \
                 WHERE schemaname = current_schema() ORDER BY tablename"
            }
        };
        all(self, sql(text)).await
    }

    /// The columns of a table.
    pub(crate) async fn columns(&self, table: &str) -> Result<Vec<Column>> {
        let text = match self.0.backend {
            Backend::Sqlite => "SELECT name, type FROM pragma_table_info($1)",
            Backend::Postgres => {
                "SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS type FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
            }
        };
        all(self, sql(text).bind(table.to_owned())).await
    }

    /// Whether a table, one of [`Db::tables`], has any row.
    pub(crate) async fn has_rows(&self, table: &str) -> Result<bool> {
        let table = table.replace('"', "\"\"");
        // Safe: a name in quotes, whoever's the table is.
        let text = AssertSqlSafe(format!("SELECT CAST(1 AS BIGINT) FROM \"{table}\" LIMIT 1"));
        let found: Option<i64> = optional(self, sqlx::query(text)).await?;
        Ok(found.is_some())
    }

    /// Up to which migration the tables are; none where there was none.
    pub(crate) async fn version(&self) -> Result<Option<i64>> {
        if !self.names().await?.iter().any(|name| name == MIGRATIONS) {
            return Ok(None);
        }
        let text = "SELECT version FROM _sqlx_migrations ORDER BY version DESC LIMIT 1";
        optional(self, sql(text)).await
    }
}

/// Inserts rows into a table, one of [`Db::tables`] with its columns, in one statement.
///
/// # Errors
/// `Invalid` where a row has other columns than the table, or a value of another kind.
pub(crate) async fn insert(
    tx: &mut Tx,
    (table, columns): (&str, &[Column]),
    rows: &[Map<String, Value>],
) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let of_row = |row: usize| {
        let holders = (1..=columns.len()).map(|n| format!("${}", row * columns.len() + n));
        format!("({})", holders.collect::<Vec<_>>().join(","))
    };
    let holders: Vec<String> = (0..rows.len()).map(of_row).collect();
    // Safe: names of a table and columns of ours, and numbers.
    let mut query = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {table} ({}) VALUES {}",
        names.join(","),
        holders.join(",")
    )));
    for row in rows {
        if row.len() != columns.len() {
            return Err(other(table));
        }
        for column in columns {
            let value = row.get(&column.name).ok_or_else(|| other(table))?;
            query = match (column.is_text, value) {
                (true, Value::Null) => query.bind(None::<String>),
                (true, Value::String(text)) => query.bind(text.clone()),
                (false, Value::Null) => query.bind(None::<i64>),
                (false, Value::Number(number)) => {
                    query.bind(number.as_i64().ok_or_else(|| other(table))?)
                }
                _ => return Err(other(table)),
            };
        }
    }
    execute(tx, query).await.map(|_| ())
}

fn other(table: &str) -> Error {
    Error::invalid(format!(
        "a row of {table} has other columns than this version of Cairn knows"
    ))
}
