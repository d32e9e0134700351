//! Aliases: names of versions that people move, with where they have been.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Version, by_number, changed, latest, lock};
use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::error::{Error, Result};
use crate::ids::{AliasMoveId, DatasetId, UserId, VersionId};
use crate::list::{List, Page};
use crate::names;

/// The alias that always is: the newest version that is not taken back.
const LATEST: &str = "latest";

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The number of the version that it names now.
    pub number: i64,
    /// When it was moved there, in milliseconds UTC.
    pub moved_ms: i64,
}

impl Record for Alias {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.text("name")?,
            number: row.int("number")?,
            moved_ms: row.int("moved_ms")?,
        })
    }
}

/// A move of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Its id.
    pub id: AliasMoveId,
    /// The alias.
    pub name: String,
    /// The version that it names from then on; none where it was removed.
    pub number: Option<i64>,
    /// Who moved it.
    pub user: String,
    /// When, in milliseconds UTC.
    pub moved_ms: i64,
}

impl Record for Move {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            name: row.text("name")?,
            number: row.maybe_int("number")?,
            user: row.text("user_name")?,
            moved_ms: row.int("moved_ms")?,
        })
    }
}

/// The version of a dataset that `text` names: a number, an alias, or `latest`. One that was taken back is found by its number only.
pub async fn find(db: &Db, dataset_id: DatasetId, text: &str) -> Result<Option<Version>> {
    if text == LATEST {
        return latest(db, dataset_id).await;
    }
    if let Some(number) = number(text) {
        return by_number(db, dataset_id, number).await;
    }
    let query = "SELECT v.number FROM dataset_aliases a JOIN dataset_versions v ON v.id = a.version_id WHERE a.dataset_id = $1 AND a.name = $2";
    let number: Option<i64> = optional(db, sql(query).bind(dataset_id).bind(text)).await?;
    match number {
        Some(number) => by_number(db, dataset_id, number).await,
        None => Ok(None),
    }
}

/// The aliases of a dataset, by name; `latest` is not among them.
pub async fn aliases<'c>(from: impl Read<'c>, dataset_id: DatasetId) -> Result<Vec<Alias>> {
    let text = "SELECT a.name, v.number, a.moved_ms FROM dataset_aliases a JOIN dataset_versions v ON v.id = a.version_id \
         WHERE a.dataset_id = $1 ORDER BY a.name";
    all(from, sql(text).bind(dataset_id)).await
}

struct Owned {
    dataset_id: DatasetId,
    alias: Alias,
}

impl Record for Owned {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            dataset_id: row.parsed("dataset_id")?,
            alias: Alias::read(row)?,
        })
    }
}

/// The aliases of each of these datasets, by name.
pub async fn aliases_of<'c>(
    from: impl Read<'c>,
    datasets: &[DatasetId],
) -> Result<HashMap<DatasetId, Vec<Alias>>> {
    let mut found: HashMap<DatasetId, Vec<Alias>> = HashMap::new();
    if datasets.is_empty() {
        return Ok(found);
    }
    let before = "SELECT a.dataset_id, a.name, v.number, a.moved_ms FROM dataset_aliases a JOIN dataset_versions v ON v.id = a.version_id \
         WHERE a.dataset_id IN";
    let query = select_in(before, datasets.len(), "ORDER BY a.name");
    let query = datasets.iter().fold(query, |query, id| query.bind(*id));
    for Owned { dataset_id, alias } in all(from, query).await? {
        found.entry(dataset_id).or_default().push(alias);
    }
    Ok(found)
}

/// Where the aliases of a dataset have been, the newest move first.
pub async fn moves(db: &Db, dataset_id: DatasetId, page: &Page) -> Result<List<Move>> {
    let text = "SELECT m.id, m.name, v.number, u.name AS user_name, m.moved_ms FROM dataset_alias_moves m \
         JOIN users u ON u.id = m.user_id LEFT JOIN dataset_versions v ON v.id = m.version_id \
         WHERE m.dataset_id = $1 AND ($2 IS NULL OR m.id < $2) ORDER BY m.id DESC LIMIT $3";
    let query = sql(text)
        .bind(dataset_id)
        .bind(page.after::<AliasMoveId>()?)
        .bind(page.fetch());
    Ok(List::cut(all(db, query).await?, page, |one: &Move| one.id))
}

/// Where an alias is to go.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The number of the version.
    pub number: i64,
    /// Only where the alias names this version now; `Some(0)`: only where it is new.
    pub from: Option<i64>,
}

impl Target {
    /// To this version, wherever it was before.
    pub fn version(number: i64) -> Self {
        Self { number, from: None }
    }
}

/// Lets an alias name a version.
///
/// # Errors
/// `Invalid` for a name against the rule; `NotFound` without such a dataset or version; `Conflict` for a version that was taken back, or where
/// the alias is not where the target says.
pub async fn move_alias(
    tx: &mut Tx,
    dataset_id: DatasetId,
    name: &str,
    Target { number, from }: Target,
    by: UserId,
) -> Result<()> {
    check(name)?;
    let held = lock(tx, dataset_id).await?;
    let version = by_number(&mut *tx, dataset_id, number)
        .await?
        .ok_or_else(|| Error::not_found(format!("the dataset has no version {number}")))?;
    if version.retracted_ms.is_some() {
        return Err(Error::conflict(format!(
            "version {number} was taken back and can have no alias"
        )));
    }
    let now = current(tx, dataset_id, name).await?;
    if from.is_some_and(|from| from != now.unwrap_or(0)) {
        let is = now.map_or_else(|| "nothing".to_owned(), |now| format!("version {now}"));
        return Err(Error::conflict(format!("the alias {name} names {is} now")));
    }
    if now == Some(number) {
        return Ok(());
    }
    let text = "INSERT INTO dataset_aliases (dataset_id, name, version_id, user_id, moved_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (dataset_id, name) DO UPDATE SET version_id = excluded.version_id, user_id = excluded.user_id, moved_ms = excluded.moved_ms";
    let query = sql(text)
        .bind(dataset_id)
        .bind(name)
        .bind(version.id)
        .bind(by);
    execute(tx, query.bind(tx.now_ms())).await?;
    note(tx, dataset_id, name, Some(version.id), by).await?;
    changed(tx, held.project_id, dataset_id);
    Ok(())
}

/// Removes an alias. Returns whether there was one.
///
/// # Errors
/// `NotFound` for an unknown or deleted dataset.
pub async fn remove_alias(
    tx: &mut Tx,
    dataset_id: DatasetId,
    name: &str,
    by: UserId,
) -> Result<bool> {
    let held = lock(tx, dataset_id).await?;
    let text = "DELETE FROM dataset_aliases WHERE dataset_id = $1 AND name = $2";
    if execute(tx, sql(text).bind(dataset_id).bind(name)).await? == 0 {
        return Ok(false);
    }
    note(tx, dataset_id, name, None, by).await?;
    changed(tx, held.project_id, dataset_id);
    Ok(true)
}

/// Removes the aliases of a version that is taken back.
pub(super) async fn leave(
    tx: &mut Tx,
    dataset_id: DatasetId,
    version: VersionId,
    by: UserId,
) -> Result<()> {
    let text = "DELETE FROM dataset_aliases WHERE version_id = $1 RETURNING name";
    let names: Vec<String> = all(&mut *tx, sql(text).bind(version)).await?;
    for name in names {
        note(tx, dataset_id, &name, None, by).await?;
    }
    Ok(())
}

async fn current(tx: &mut Tx, dataset_id: DatasetId, name: &str) -> Result<Option<i64>> {
    let text = "SELECT v.number FROM dataset_aliases a JOIN dataset_versions v ON v.id = a.version_id WHERE a.dataset_id = $1 AND a.name = $2";
    optional(tx, sql(text).bind(dataset_id).bind(name)).await
}

async fn note(
    tx: &mut Tx,
    dataset_id: DatasetId,
    name: &str,
    version: Option<VersionId>,
    by: UserId,
) -> Result<()> {
    let id = AliasMoveId::new(tx.clock());
    let text = "INSERT INTO dataset_alias_moves (id, dataset_id, name, version_id, user_id, moved_ms) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sql(text)
        .bind(id)
        .bind(dataset_id)
        .bind(name)
        .bind(version)
        .bind(by);
    execute(tx, query.bind(tx.now_ms())).await.map(|_| ())
}

/// Checks the name of an alias: it must not be a number, and `latest` is taken.
///
/// # Errors
/// `Invalid`, which says the rule.
pub fn check(name: &str) -> Result<()> {
    names::check("alias", name)?;
    if name == LATEST {
        return Err(Error::invalid(
            "`latest` always names the newest version; it cannot be moved",
        ));
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(
            "an alias cannot be a number: that names a version already",
        ));
    }
    Ok(())
}

/// A version's number as it is written: decimal digits without a leading zero.
fn number(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok())?
}
