//! Projects: the space for one problem. They number their jobs.

use serde::Serialize;

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{ProjectId, UserId};
use crate::list::{List, Page};
use crate::members::{self, Role};
use crate::{names, objects};

const DESCRIPTION_BYTES: usize = 10_000;

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its id, which never changes.
    pub id: ProjectId,
    /// Its name; unique among the projects that are not deleted.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
}

/// A project as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The project.
    #[serde(flatten)]
    pub project: Project,
    /// The user's role; none for an administrator who is not a member.
    pub role: Option<Role>,
}

impl Record for Project {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            name: row.text("name")?,
            description: row.text("description")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

impl Record for Membership {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            project: Project::read(row)?,
            role: row.maybe_parsed("role")?,
        })
    }
}

/// Makes a project that `owner` owns.
///
/// # Errors
/// `Invalid` for a name against the rule, `Conflict` for one in use, `NotFound` for an unknown owner.
pub async fn create(tx: &mut Tx, name: &str, description: &str, owner: UserId) -> Result<Project> {
    names::check("project", name)?;
    if name.parse::<ProjectId>().is_ok() {
        return Err(Error::invalid("a project cannot be named like an id"));
    }
    names::check_text("description", description, DESCRIPTION_BYTES)?;
    let id = ProjectId::new(tx.clock());
    let text = "INSERT INTO projects (id, name, description, created_ms, next_number) VALUES ($1, $2, $3, $4, 1) \
         ON CONFLICT (name) WHERE deleted_ms IS NULL DO NOTHING";
    if execute(
        tx,
        sql(text)
            .bind(id)
            .bind(name)
            .bind(description)
            .bind(tx.now_ms()),
    )
    .await?
        == 0
    {
        return Err(Error::conflict("a project with this name exists"));
    }
    members::put(tx, id, owner, Role::Owner).await?;
    changed(tx, id);
    get(tx, id).await?.ok_or_else(missing)
}

/// The project with this id, unless it is deleted.
pub async fn get<'c>(from: impl Read<'c>, id: ProjectId) -> Result<Option<Project>> {
    optional(from, sql("SELECT id, name, description, created_ms FROM projects WHERE id = $1 AND deleted_ms IS NULL").bind(id)).await
}

/// The project with this name, unless it is deleted.
pub async fn by_name<'c>(from: impl Read<'c>, name: &str) -> Result<Option<Project>> {
    let text = "SELECT id, name, description, created_ms FROM projects WHERE name = $1 AND deleted_ms IS NULL";
    optional(from, sql(text).bind(name)).await
}

/// The project that `text` names, by id or by name.
pub async fn find(db: &Db, text: &str) -> Result<Option<Project>> {
    match text.parse() {
        Ok(id) => get(db, id).await,
        Err(_) => by_name(db, text).await,
    }
}

/// The projects of a user with their role in each, newest first; with `all` also those they are no member of.
pub async fn list(
    db: &Db,
    user_id: UserId,
    all_projects: bool,
    page: &Page,
) -> Result<List<Membership>> {
    let text = "SELECT p.id, p.name, p.description, p.created_ms, m.role FROM projects p \
         LEFT JOIN members m ON m.project_id = p.id AND m.user_id = $1 \
         WHERE p.deleted_ms IS NULL AND ($2 = 1 OR m.role IS NOT NULL) AND ($3 IS NULL OR p.id < $3) ORDER BY p.id DESC LIMIT $4";
    let query = sql(text)
        .bind(user_id)
        .bind(i64::from(all_projects))
        .bind(page.after::<ProjectId>()?)
        .bind(page.fetch());
    Ok(List::cut(
        all(db, query).await?,
        page,
        |seen: &Membership| seen.project.id,
    ))
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// See [`Project::name`].
    pub name: Option<String>,
    /// See [`Project::description`].
    pub description: Option<String>,
}

/// Changes a project.
///
/// # Errors
/// `NotFound` for an unknown or deleted one; `Conflict` for a name in use.
pub async fn update(tx: &mut Tx, id: ProjectId, change: &Change) -> Result<Project> {
    if let Some(name) = &change.name {
        names::check("project", name)?;
        if by_name(&mut *tx, name)
            .await?
            .is_some_and(|other| other.id != id)
        {
            return Err(Error::conflict("a project with this name exists"));
        }
    }
    if let Some(description) = &change.description {
        names::check_text("description", description, DESCRIPTION_BYTES)?;
    }
    let text = "UPDATE projects SET name = COALESCE($2, name), description = COALESCE($3, description) WHERE id = $1 AND deleted_ms IS NULL";
    if execute(
        tx,
        sql(text)
            .bind(id)
            .bind(change.name.clone())
            .bind(change.description.clone()),
    )
    .await?
        == 0
    {
        return Err(missing());
    }
    changed(tx, id);
    get(tx, id).await?.ok_or_else(missing)
}

/// The digest of the manifest that the homes of new workspaces begin with; none for an empty folder.
pub async fn template<'c>(from: impl Read<'c>, id: ProjectId) -> Result<Option<String>> {
    let text = "SELECT template_digest FROM projects WHERE id = $1 AND template_digest IS NOT NULL";
    optional(from, sql(text).bind(id)).await
}

/// Lets new workspaces begin with the files of a manifest.
///
/// # Errors
/// `NotFound` for an unknown or deleted project.
pub async fn set_template(tx: &mut Tx, id: ProjectId, manifest_digest: &str) -> Result<()> {
    objects::hold(tx, manifest_digest).await?;
    let text = "UPDATE projects SET template_digest = $2 WHERE id = $1 AND deleted_ms IS NULL";
    if execute(tx, sql(text).bind(id).bind(manifest_digest)).await? == 0 {
        return Err(missing());
    }
    changed(tx, id);
    Ok(())
}

/// Deletes a project that nothing runs in and that has no workspaces. Its records stay; its name is free again.
///
/// # Errors
/// `NotFound` for an unknown or deleted one; `Conflict` where it has workspaces or unfinished jobs.
pub async fn delete(tx: &mut Tx, id: ProjectId) -> Result<()> {
    lock(tx, id).await?;
    let text = "SELECT (SELECT COUNT(*) FROM workspaces WHERE project_id = $1 AND deleted_ms IS NULL) \
         + (SELECT COUNT(*) FROM jobs WHERE project_id = $1 AND ended_ms IS NULL)";
    if required::<i64>(&mut *tx, sql(text).bind(id)).await? > 0 {
        return Err(Error::conflict(
            "the project has workspaces or unfinished jobs; delete and stop them first",
        ));
    }
    changed(tx, id);
    let query = sql("UPDATE projects SET deleted_ms = $2 WHERE id = $1")
        .bind(id)
        .bind(tx.now_ms());
    execute(tx, query).await?;
    Ok(())
}

/// Holds the project until the transaction ends, so that others that do so wait. Returns the number of its next job.
pub(crate) async fn lock(tx: &mut Tx, id: ProjectId) -> Result<i64> {
    let text = "UPDATE projects SET next_number = next_number WHERE id = $1 AND deleted_ms IS NULL RETURNING next_number";
    optional(tx, sql(text).bind(id)).await?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::not_found("there is no such project")
}

fn changed(tx: &mut Tx, id: ProjectId) {
    tx.notice(Notice {
        kind: Kind::ProjectChanged,
        project_id: Some(id),
        user_id: None,
        subject: id.to_string(),
    });
}
