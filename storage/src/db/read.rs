//! Reading rows: where a read looks, how a row becomes a record, and the few ways a statement is run.

use std::str::FromStr;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::{AssertSqlSafe, Decode, Row as _, Type};

use super::{Db, Snapshot, Tx, failed};
use crate::error::{Error, Result};

/// Where a read looks: `&Db` for what is committed, `&mut Tx` for that and the transaction's own writes, `&mut Snapshot` for what was committed at
/// one moment.
pub trait Read<'c>: Send + sealed::Rows<'c> {}

impl<'c> Read<'c> for &'c Db {}
impl<'c> Read<'c> for &'c mut Tx {}
impl<'c> Read<'c> for &'c mut Snapshot {}

mod sealed {
    use futures_util::future::BoxFuture;
    use sqlx::any::AnyRow;

    use super::Query;

    pub trait Rows<'c> {
        fn one(self, query: Query) -> BoxFuture<'c, sqlx::Result<Option<AnyRow>>>;
        fn all(self, query: Query) -> BoxFuture<'c, sqlx::Result<Vec<AnyRow>>>;
    }
}

impl<'c> sealed::Rows<'c> for &'c Db {
    fn one(self, query: Query) -> BoxFuture<'c, sqlx::Result<Option<AnyRow>>> {
        Box::pin(query.fetch_optional(&self.0.readers))
    }

    fn all(self, query: Query) -> BoxFuture<'c, sqlx::Result<Vec<AnyRow>>> {
        Box::pin(query.fetch_all(&self.0.readers))
    }
}

impl<'c> sealed::Rows<'c> for &'c mut Tx {
    fn one(self, query: Query) -> BoxFuture<'c, sqlx::Result<Option<AnyRow>>> {
        Box::pin(query.fetch_optional(self.connection()))
    }

    fn all(self, query: Query) -> BoxFuture<'c, sqlx::Result<Vec<AnyRow>>> {
        Box::pin(query.fetch_all(self.connection()))
    }
}

impl<'c> sealed::Rows<'c> for &'c mut Snapshot {
    fn one(self, query: Query) -> BoxFuture<'c, sqlx::Result<Option<AnyRow>>> {
        Box::pin(query.fetch_optional(&mut *self.0))
    }

    fn all(self, query: Query) -> BoxFuture<'c, sqlx::Result<Vec<AnyRow>>> {
        Box::pin(query.fetch_all(&mut *self.0))
    }
}

/// A statement with what is bound to it.
pub(crate) type Query = sqlx::query::Query<'static, Any, AnyArguments>;

/// A statement. Its text is never made at run time.
pub(crate) fn sql(text: &'static str) -> Query {
    sqlx::query(text)
}

/// A statement whose `IN` takes `count` bound values: `before ($1,$2,…) after`.
pub(crate) fn select_in(before: &'static str, count: usize, after: &'static str) -> Query {
    let holders: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    // Safe: two literals and the numbers from 1 to `count`. Not kept as a prepared statement: `count` varies.
    sqlx::query(AssertSqlSafe(format!(
        "{before} ({}) {after}",
        holders.join(",")
    )))
    .persistent(false)
}

/// What can be read from a row.
pub(crate) trait Record: Sized {
    fn read(row: &Row) -> Result<Self>;
}

/// The only row, if there is one.
pub(crate) async fn optional<'c, T: Record>(
    from: impl Read<'c>,
    query: Query,
) -> Result<Option<T>> {
    let row = from.one(query).await.map_err(failed)?;
    row.map(|row| T::read(&Row(row))).transpose()
}

/// The only row, which cannot be missing (an aggregate, `RETURNING` of an insert).
pub(crate) async fn required<'c, T: Record>(from: impl Read<'c>, query: Query) -> Result<T> {
    optional(from, query)
        .await?
        .ok_or_else(|| Error::fault("a statement that always gives a row gave none"))
}

/// Every row.
pub(crate) async fn all<'c, T: Record>(from: impl Read<'c>, query: Query) -> Result<Vec<T>> {
    let rows = from.all(query).await.map_err(failed)?;
    rows.into_iter().map(|row| T::read(&Row(row))).collect()
}

/// Runs a statement; returns how many rows it changed.
pub(crate) async fn execute(tx: &mut Tx, query: Query) -> Result<u64> {
    let work: BoxFuture<'_, _> = Box::pin(query.execute(tx.connection()));
    Ok(work.await.map_err(failed)?.rows_affected())
}

/// A row, read by column name.
pub(crate) struct Row(AnyRow);

impl Row {
    fn get<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: &str) -> Result<T> {
        self.0.try_get(column).map_err(failed)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        self.get(column)
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// An id or a named value.
    pub(crate) fn parsed<T: FromStr<Err = Error>>(&self, column: &str) -> Result<T> {
        self.get::<&str>(column)?
            .parse()
            .map_err(|error| spoilt(column, error))
    }

    pub(crate) fn maybe_parsed<T: FromStr<Err = Error>>(&self, column: &str) -> Result<Option<T>> {
        let text = self.get::<Option<&str>>(column)?;
        text.map(|text| text.parse().map_err(|error| spoilt(column, error)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.get(column)?).map_err(|error| spoilt(column, error))
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.get::<Option<&str>>(column)?;
        text.map(|text| serde_json::from_str(text).map_err(|error| spoilt(column, error)))
            .transpose()
    }
}

/// A single whole number.
impl Record for i64 {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get(0).map_err(failed)
    }
}

/// A single text.
impl Record for String {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get(0).map_err(failed)
    }
}

fn spoilt(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal(format!("the stored {column} cannot be read"), error)
}
