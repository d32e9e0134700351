//! Reads that all see one moment, and rows of any table as JSON: for backups, which must know every table and none by name.

use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::any::{Any, AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Column as _, Executor as _, Row as _, Transaction, ValueRef as _};

use super::{Backend, Db, failed};
use crate::error::{Error, Result};

/// What was committed at one moment, for as long as the value lives. Keep it for a short time: SQLite cannot tidy its log behind it.
pub(crate) struct Snapshot(pub(super) Transaction<'static, Any>);

impl Db {
    /// Looks at what is committed now; writers go on.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        let readers = &self.0.readers;
        let mut open = match self.0.backend {
            Backend::Sqlite => readers.begin_with("BEGIN").await,
            Backend::Postgres => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                readers.begin_with(begin).await
            }
        }
        .map_err(failed)?;
        if self.0.backend == Backend::Postgres {
            // A large table takes longer than any statement of the service may.
            let patient = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
            open.execute(patient).await.map_err(failed)?;
        }
        // Both fix the moment at the first read.
        let first = "SELECT value FROM counters WHERE name = 'events'";
        open.fetch_optional(first).await.map_err(failed)?;
        Ok(Snapshot(open))
    }
}

impl Snapshot {
    /// Gives every row of a table to `each`, as its columns by name, in no order. `only`: a condition, or nothing.
    ///
    /// `table` must be one of [`Db::tables`].
    pub(crate) async fn rows(
        &mut self,
        table: &str,
        only: &'static str,
        each: &mut dyn FnMut(Map<String, Value>) -> Result<()>,
    ) -> Result<()> {
        // Safe: the name of a table of ours and a literal.
        let text = AssertSqlSafe(format!("SELECT * FROM {table} {only}"));
        let query = sqlx::query(text).persistent(false);
        let mut rows = query.fetch(&mut *self.0);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            each(object(&row)?)?;
        }
        Ok(())
    }
}

fn object(row: &AnyRow) -> Result<Map<String, Value>> {
    let mut object = Map::with_capacity(row.len());
    for (at, column) in row.columns().iter().enumerate() {
        let kind = {
            let value = row.try_get_raw(at).map_err(failed)?;
            (!value.is_null()).then(|| value.type_info().kind())
        };
        let value = match kind {
            None => Value::Null,
            Some(AnyTypeInfoKind::Text) => {
                Value::String(row.try_get::<String, _>(at).map_err(failed)?)
            }
            Some(
                AnyTypeInfoKind::BigInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::SmallInt,
            ) => Value::from(row.try_get::<i64, _>(at).map_err(failed)?),
            Some(_) => {
                let name = column.name();
                return Err(Error::fault(format!(
                    "the column {name} is neither text nor a whole number"
                )));
            }
        };
        object.insert(column.name().to_owned(), value);
    }
    Ok(object)
}
