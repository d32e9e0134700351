//! Datasets: names for data that last, each with versions that never change.

mod aliases;
mod effects;
mod uses;
mod versions;

use serde::{Deserialize, Serialize};

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{DatasetId, ProjectId, UserId};
use crate::list::{List, Page};
use crate::names::{self, named};
use crate::projects;

pub use aliases::{
    Alias, Move, Target, aliases, aliases_of, check as check_alias, find, move_alias, moves,
    remove_alias,
};
pub use effects::{Cause, Effect, effects};
pub use uses::{Use, User, object_uses, uses};
pub use versions::{
    Made, NewVersion, Origin, Source, Version, add, by_number, latest, latest_of,
    list as list_versions, retract, sources, version,
};

const DESCRIPTION_BYTES: usize = 10_000;
const MOST_TAGS: usize = 50;

named! {
    /// Who may read a dataset, besides the members of its project.
    Visibility {
        /// Nobody.
        Project = "project",
        /// Everybody who is signed in.
        Organisation = "organisation",
        /// Everybody who is signed in; meant to be shown to everybody else too.
        Public = "public",
    }
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its id, which never changes.
    pub id: DatasetId,
    /// The project that owns it.
    pub project_id: ProjectId,
    /// That project's name.
    pub project: String,
    /// Its name; unique in its project among those that are not deleted.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Who made it.
    pub user_id: UserId,
    /// Their name.
    pub user: String,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
}

impl Record for Dataset {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            project_id: row.parsed("project_id")?,
            project: row.text("project")?,
            name: row.text("name")?,
            description: row.text("description")?,
            tags: row.json("tags")?,
            visibility: row.parsed("visibility")?,
            user_id: row.parsed("user_id")?,
            user: row.text("user_name")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

/// A dataset to make.
#[derive(Debug, Clone)]
pub struct NewDataset {
    /// See [`Dataset::project_id`].
    pub project_id: ProjectId,
    /// See [`Dataset::user_id`].
    pub user_id: UserId,
    /// See [`Dataset::name`].
    pub name: String,
    /// See [`Dataset::description`].
    pub description: String,
    /// See [`Dataset::tags`].
    pub tags: Vec<String>,
    /// See [`Dataset::visibility`].
    pub visibility: Visibility,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// See [`Dataset::name`].
    pub name: Option<String>,
    /// See [`Dataset::description`].
    pub description: Option<String>,
    /// See [`Dataset::tags`].
    pub tags: Option<Vec<String>>,
    /// See [`Dataset::visibility`].
    pub visibility: Option<Visibility>,
}

/// Makes a dataset without versions.
///
/// # Errors
/// `Invalid` for a name, text or tag against the rules, `Conflict` for a name in use, `NotFound` for an unknown project or user.
pub async fn create(tx: &mut Tx, new: &NewDataset) -> Result<Dataset> {
    check_name(&new.name)?;
    names::check_text("description", &new.description, DESCRIPTION_BYTES)?;
    projects::lock(tx, new.project_id).await?;
    let id = DatasetId::new(tx.clock());
    let text = "INSERT INTO datasets (id, project_id, name, description, tags, visibility, user_id, next_version, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8) ON CONFLICT (project_id, name) WHERE deleted_ms IS NULL DO NOTHING";
    let query = sql(text)
        .bind(id)
        .bind(new.project_id)
        .bind(new.name.as_str())
        .bind(new.description.as_str())
        .bind(tags(&new.tags)?)
        .bind(new.visibility.as_str())
        .bind(new.user_id);
    if execute(tx, query.bind(tx.now_ms())).await? == 0 {
        return Err(taken(&new.name));
    }
    changed(tx, new.project_id, id);
    get(tx, id).await?.ok_or_else(missing)
}

macro_rules! select {
    ($rest:literal) => {
        sql(concat!(
            "SELECT d.id, d.project_id, p.name AS project, d.name, d.description, d.tags, d.visibility, d.user_id, u.name AS user_name, \
             d.created_ms FROM datasets d JOIN projects p ON p.id = d.project_id JOIN users u ON u.id = d.user_id ",
            $rest
        ))
    };
}

/// The dataset with this id, unless it is deleted.
pub async fn get<'c>(from: impl Read<'c>, id: DatasetId) -> Result<Option<Dataset>> {
    let query = select!("WHERE d.id = $1 AND d.deleted_ms IS NULL");
    optional(from, query.bind(id)).await
}

/// The dataset of a project with this name, unless it is deleted.
pub async fn by_name<'c>(
    from: impl Read<'c>,
    project_id: ProjectId,
    name: &str,
) -> Result<Option<Dataset>> {
    let query = select!("WHERE d.project_id = $1 AND d.name = $2 AND d.deleted_ms IS NULL");
    optional(from, query.bind(project_id).bind(name)).await
}

/// The datasets of a project, newest first.
pub async fn list(db: &Db, project_id: ProjectId, page: &Page) -> Result<List<Dataset>> {
    let query = select!(
        "WHERE d.project_id = $1 AND d.deleted_ms IS NULL AND ($2 IS NULL OR d.id < $2) ORDER BY d.id DESC LIMIT $3"
    );
    let query = query
        .bind(project_id)
        .bind(page.after::<DatasetId>()?)
        .bind(page.fetch());
    Ok(List::cut(
        all(db, query).await?,
        page,
        |dataset: &Dataset| dataset.id,
    ))
}

/// Changes a dataset. Its versions keep their numbers under another name.
///
/// # Errors
/// `NotFound` for an unknown or deleted one; `Conflict` for a name in use; `Invalid` against the rules.
pub async fn update(tx: &mut Tx, id: DatasetId, change: &Change) -> Result<Dataset> {
    let project_id = lock(tx, id).await?.project_id;
    if let Some(name) = &change.name {
        check_name(name)?;
        let other = by_name(&mut *tx, project_id, name).await?;
        if other.is_some_and(|other| other.id != id) {
            return Err(taken(name));
        }
    }
    if let Some(description) = &change.description {
        names::check_text("description", description, DESCRIPTION_BYTES)?;
    }
    let text = "UPDATE datasets SET name = COALESCE($2, name), description = COALESCE($3, description), tags = COALESCE($4, tags), \
         visibility = COALESCE($5, visibility) WHERE id = $1";
    let query = sql(text)
        .bind(id)
        .bind(change.name.clone())
        .bind(change.description.clone())
        .bind(change.tags.as_deref().map(tags).transpose()?)
        .bind(change.visibility.map(Visibility::as_str));
    execute(tx, query).await?;
    changed(tx, project_id, id);
    get(tx, id).await?.ok_or_else(missing)
}

/// Deletes a dataset. Its records stay, for what was made of it; its name is free again.
///
/// # Errors
/// `NotFound` for an unknown or deleted one.
pub async fn delete(tx: &mut Tx, id: DatasetId) -> Result<()> {
    let project_id = lock(tx, id).await?.project_id;
    let query = sql("UPDATE datasets SET deleted_ms = $2 WHERE id = $1")
        .bind(id)
        .bind(tx.now_ms());
    execute(tx, query).await?;
    changed(tx, project_id, id);
    Ok(())
}

/// What is held of a dataset while a transaction changes it.
struct Held {
    project_id: ProjectId,
    next_version: i64,
}

impl Record for Held {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            project_id: row.parsed("project_id")?,
            next_version: row.int("next_version")?,
        })
    }
}

/// Holds a dataset until the transaction ends, so that others that change it wait.
async fn lock(tx: &mut Tx, id: DatasetId) -> Result<Held> {
    let text = "UPDATE datasets SET id = id WHERE id = $1 AND deleted_ms IS NULL RETURNING project_id, next_version";
    optional(tx, sql(text).bind(id)).await?.ok_or_else(missing)
}

/// Checks the name of a dataset. It also stands in references, where `:`, `#` and `/` mean something: the common rule leaves them out.
///
/// # Errors
/// `Invalid`, which says the rule.
pub fn check_name(name: &str) -> Result<()> {
    names::check("dataset", name)?;
    if name.parse::<DatasetId>().is_ok() {
        return Err(Error::invalid("a dataset cannot be named like an id"));
    }
    Ok(())
}

fn tags(tags: &[String]) -> Result<String> {
    if tags.len() > MOST_TAGS {
        return Err(Error::invalid(format!(
            "a dataset has at most {MOST_TAGS} tags"
        )));
    }
    for tag in tags {
        if tag.trim().is_empty() {
            return Err(Error::invalid("a tag is empty"));
        }
        names::check_text("tag", tag, 100)?;
    }
    serde_json::to_string(tags).map_err(|error| Error::internal("tags are not JSON", error))
}

fn taken(name: &str) -> Error {
    Error::conflict(format!("the project has a dataset named {name} already"))
}

fn missing() -> Error {
    Error::not_found("there is no such dataset")
}

fn changed(tx: &mut Tx, project_id: ProjectId, id: DatasetId) {
    tx.notice(Notice {
        kind: Kind::DatasetChanged,
        project_id: Some(project_id),
        user_id: None,
        subject: id.to_string(),
    });
}
