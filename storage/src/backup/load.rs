//! Puts rows that came with a backup into an empty database, in one transaction.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::lines::Lines;
use super::rows::file;
use super::tables::OWN;
use super::{Header, LOST, Lost, Table};
use crate::audit;
use crate::db::{Column, Db, Tx, execute, insert, optional, sql};
use crate::homes;
use crate::{Error, Result};

/// Rows that one statement inserts, unless they are long.
const ROWS: usize = 64;
/// Rows of so many bytes together are not held any longer.
const ROWS_BYTES: usize = 4 << 20;
/// How far numbers of events jump: those that were given out after the backup are none that a follower could take for newer ones.
const JUMP: i64 = 1 << 32;
/// How far the fencing numbers of workspaces jump: a run that was begun after the backup has none that is given out again.
const FENCE_JUMP: i64 = 1 << 20;
/// What the audit record calls it.
const ACTION: &str = "restore";
/// Tables that have rows in a database that was just made, or into whose bucket a restore has begun to send.
const OF_ITSELF: [&str; 4] = ["counters", "own_store", "bucket_keys", "bucket_places"];

/// What is in a database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    /// The rows of this restore.
    Loaded,
    /// A table that has rows, of something else.
    Other(String),
}

/// What there is, seen by the restore `id`; in whoever's database.
pub(super) async fn state(db: &Db, id: &str) -> Result<State> {
    let tables = db.tables().await?;
    if db.version().await?.is_none() {
        let first = tables.into_iter().next();
        return Ok(first.map_or(State::Empty, State::Other));
    }
    if tables.iter().any(|table| table == "audit") {
        let text = "SELECT CAST(1 AS BIGINT) FROM audit WHERE action = $1 AND subject = $2";
        let loaded = sql(text).bind(ACTION).bind(id.to_owned());
        if optional::<i64>(db, loaded).await?.is_some() {
            return Ok(State::Loaded);
        }
    }
    for table in tables {
        if !OF_ITSELF.contains(&table.as_str()) && db.has_rows(&table).await? {
            return Ok(State::Other(table));
        }
    }
    Ok(State::Empty)
}

/// Whether the backup that the restore `id` has loaded lacked anything, or does not say.
pub(super) async fn has_lost(db: &Db, id: &str) -> Result<bool> {
    let text = "SELECT detail FROM audit WHERE action = $1 AND subject = $2";
    let loaded = sql(text).bind(ACTION).bind(id.to_owned());
    let detail: Option<String> = optional(db, loaded).await?;
    let detail = detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
    Ok(detail.is_none_or(|detail| detail["lost"] != 0))
}

/// Loads the rows in `folder`: all of them, or none.
///
/// # Errors
/// `Invalid` where they do not fit the tables or each other.
pub(super) async fn load(db: &Db, header: &Header, folder: &Path, id: &str) -> Result<()> {
    let known = db.tables().await?;
    let mut columns = BTreeMap::new();
    for Table { name, .. } in &header.tables {
        if !known.contains(name) {
            return Err(Error::invalid(format!(
                "the backup has a table {name}, which this version of Cairn does not know: restore with Cairn {}, which made it. Nothing was restored",
                header.cairn
            )));
        }
        columns.insert(name.as_str(), db.columns(name).await?);
    }
    let columns = &columns;
    let work = |mut tx: Tx| async move {
        execute(&mut tx, sql("DELETE FROM counters")).await?;
        for Table { name, .. } in &header.tables {
            let loaded = table(&mut tx, (name, &columns[name.as_str()]), folder).await;
            loaded.map_err(|error| misfit(name, error))?;
        }
        let lost = forget_lost(&mut tx, folder).await;
        let lost = lost.map_err(|error| misfit(LOST, error))?;
        let text = "UPDATE counters SET value = value + $1 WHERE name = 'events'";
        execute(&mut tx, sql(text).bind(JUMP)).await?;
        let text = "UPDATE workspaces SET fence = fence + $1 WHERE fence > 0";
        execute(&mut tx, sql(text).bind(FENCE_JUMP)).await?;
        homes::make_room(&mut tx).await?;
        let detail = json!({"created_ms": header.created_ms, "cairn": header.cairn, "lost": lost});
        audit::record(&mut tx, None, ACTION, id, &detail).await
    };
    db.write(work).await
}

async fn table(tx: &mut Tx, (name, columns): (&str, &[Column]), folder: &Path) -> Result<()> {
    let own = OWN.iter().find(|(table, _)| *table == name);
    let (mut rows, mut bytes) = (Vec::with_capacity(ROWS), 0);
    let mut lines = Lines::<Map<String, Value>>::open(&file(folder, name))?;
    while let Some(row) = lines.next() {
        let mut row = row?;
        if let Some((_, column)) = own {
            row.insert((*column).to_owned(), Value::Null);
        }
        rows.push(row);
        bytes += lines.length();
        if rows.len() == ROWS || bytes >= ROWS_BYTES {
            put(tx, (name, columns), &mut rows).await?;
            bytes = 0;
        }
    }
    put(tx, (name, columns), &mut rows).await?;
    match own {
        Some(_) => refer(tx, &file(folder, name)).await,
        None => Ok(()),
    }
}

/// Inserts rows: by one statement, or, where they are not as many as usual, each by its own, so that there are two statements of a table.
async fn put(
    tx: &mut Tx,
    table: (&str, &[Column]),
    rows: &mut Vec<Map<String, Value>>,
) -> Result<()> {
    let at_once = if rows.len() == ROWS { ROWS } else { 1 };
    for rows in rows.chunks(at_once) {
        insert(tx, table, rows).await?;
    }
    rows.clear();
    Ok(())
}

/// Fills in what jobs refer to among themselves.
async fn refer(tx: &mut Tx, path: &Path) -> Result<()> {
    for row in Lines::<Map<String, Value>>::open(path)? {
        let row = row?;
        if let (Some(id), Some(of)) = (row["id"].as_str(), row["rerun_of"].as_str()) {
            let text = "UPDATE jobs SET rerun_of = $2 WHERE id = $1";
            execute(tx, sql(text).bind(id.to_owned()).bind(of.to_owned())).await?;
        }
    }
    Ok(())
}

/// Takes back that contents are there which are not: whoever has them shall be asked for them again. Gives how much is lost.
async fn forget_lost(tx: &mut Tx, folder: &Path) -> Result<u64> {
    let mut count = 0;
    for lost in Lines::<Lost>::open(&folder.join(LOST))? {
        let lost = lost?;
        count += 1;
        if lost.space != super::folder(crate::objects::Space::Objects) {
            continue;
        }
        let hash = lost.hash.to_hex();
        let text = "DELETE FROM project_objects WHERE hash = $1";
        execute(tx, sql(text).bind(hash.clone())).await?;
        let text = "DELETE FROM objects WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM home_snapshots WHERE attributes_hash = $1)";
        execute(tx, sql(text).bind(hash)).await?;
    }
    Ok(count)
}

fn misfit(what: &str, error: Error) -> Error {
    match error {
        Error::Conflict(why) | Error::NotFound(why) | Error::Invalid(why) => {
            Error::invalid(format!(
                "the rows of {what} in the backup do not fit, and nothing was restored: {why}. Take another copy of it, or an older backup"
            ))
        }
        other => other,
    }
}
