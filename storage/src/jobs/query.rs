//! Reading jobs.

use super::{Job, State};
use crate::db::{Db, Read, Record, Row, all, optional, required, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, MachineId, ProjectId, UserId, WorkspaceId};
use crate::list::{List, Page};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT j.*, p.name AS project, u.name AS user_name, a.number AS attempt, a.log_bytes, a.machine_id, o.manifest_digest AS output_manifest, \
             o.content_digest AS output_content, o.files AS output_files, o.bytes AS output_bytes, o.skipped AS output_skipped \
             FROM jobs j JOIN projects p ON p.id = j.project_id JOIN users u ON u.id = j.user_id \
             LEFT JOIN job_outputs o ON o.job_id = j.id LEFT JOIN attempts a ON a.job_id = j.id \
             AND a.number = (SELECT MAX(number) FROM attempts WHERE job_id = j.id) ",
            $rest
        )
    };
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this project only.
    pub project_id: Option<ProjectId>,
    /// Of this user only.
    pub user_id: Option<UserId>,
    /// Of the projects that this user is a member of only.
    pub visible_to: Option<UserId>,
    /// In this state only.
    pub state: Option<State>,
    /// With this text in their name only, in upper or lower case.
    pub name: Option<String>,
    /// With this tag only.
    pub tag: Option<String>,
    /// Of this workspace's code only.
    pub workspace_id: Option<WorkspaceId>,
    /// That run a notebook only.
    pub notebooks: bool,
}

/// The job with this id.
pub async fn get<'c>(from: impl Read<'c>, id: JobId) -> Result<Option<Job>> {
    let query = sql(select!("WHERE j.id = $1"));
    optional(from, query.bind(id)).await
}

/// The job with this number in a project.
pub async fn by_number<'c>(
    from: impl Read<'c>,
    project_id: ProjectId,
    number: i64,
) -> Result<Option<Job>> {
    let query = sql(select!("WHERE j.project_id = $1 AND j.number = $2"));
    optional(from, query.bind(project_id).bind(number)).await
}

/// The job that was accepted in a project under an idempotency key.
pub async fn by_key<'c>(
    from: impl Read<'c>,
    project_id: ProjectId,
    key: &str,
) -> Result<Option<Job>> {
    let query = sql(select!(
        "WHERE j.project_id = $1 AND j.idempotency_key = $2"
    ));
    optional(from, query.bind(project_id).bind(key)).await
}

/// The jobs that `filter` lets through, newest first.
pub async fn list(db: &Db, filter: &Filter, page: &Page) -> Result<List<Job>> {
    let query = sql(select!(
        "WHERE ($1 IS NULL OR j.project_id = $1) AND ($2 IS NULL OR j.user_id = $2) AND ($3 IS NULL OR j.state = $3) \
         AND ($4 IS NULL OR LOWER(j.name) LIKE LOWER($4) ESCAPE '\\') \
         AND ($5 IS NULL OR EXISTS (SELECT 1 FROM members m WHERE m.project_id = j.project_id AND m.user_id = $5)) \
         AND ($8 IS NULL OR j.tags LIKE $8 ESCAPE '\\') AND ($9 IS NULL OR j.workspace_id = $9) AND ($10 = 0 OR j.notebook IS NOT NULL) \
         AND p.deleted_ms IS NULL AND ($6 IS NULL OR j.id < $6) ORDER BY j.id DESC LIMIT $7"
    ));
    let query = query
        .bind(filter.project_id)
        .bind(filter.user_id)
        .bind(filter.state.map(|state| state.as_str().to_owned()));
    let query = query
        .bind(filter.name.as_deref().map(contains))
        .bind(filter.visible_to);
    let query = query.bind(page.after::<JobId>()?).bind(page.fetch());
    let tag = filter.tag.as_ref().map(serde_json::to_string).transpose();
    let tag = tag.map_err(|error| Error::internal("a tag is not JSON", error))?;
    let query = query
        .bind(tag.as_deref().map(contains))
        .bind(filter.workspace_id)
        .bind(i64::from(filter.notebooks));
    Ok(List::cut(all(db, query).await?, page, |job: &Job| job.id))
}

/// Every job that has not ended, oldest first: what a reconciler has to look at.
pub async fn unfinished(db: &Db) -> Result<Vec<Job>> {
    all(db, sql(select!("WHERE j.ended_ms IS NULL ORDER BY j.id"))).await
}

/// The jobs that hold a place on a machine, oldest first.
pub async fn running(db: &Db) -> Result<Vec<JobId>> {
    let text = "SELECT id FROM jobs WHERE ended_ms IS NULL AND state IN ('started', 'stopping') ORDER BY id";
    let ids: Vec<String> = all(db, sql(text)).await?;
    ids.into_iter().map(|id| id.parse()).collect()
}

/// How many jobs wait in the queue.
pub async fn waiting(db: &Db) -> Result<i64> {
    required(db, sql("SELECT COUNT(*) FROM jobs WHERE state = 'queued'")).await
}

/// A job in the queue, in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its id.
    pub id: JobId,
    /// Its machine type.
    pub machine: String,
    /// When it began to wait for a machine.
    pub queued_ms: i64,
}

impl Record for Queued {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            machine: row.text("machine")?,
            queued_ms: row.int("queued_ms")?,
        })
    }
}

/// The queue in brief, next first: those that the server on the machine `origin` may place.
pub async fn queue(db: &Db, origin: MachineId) -> Result<Vec<Queued>> {
    let text = "SELECT id, machine, queued_ms FROM jobs WHERE state = 'queued' AND (origin_id IS NULL OR origin_id = $1) \
         ORDER BY queued_ms, id";
    all(db, sql(text).bind(origin)).await
}

/// The head of the queue, next first.
pub async fn queued(db: &Db, limit: u32) -> Result<Vec<Job>> {
    let query = sql(select!(
        "WHERE j.state = 'queued' ORDER BY j.queued_ms, j.id LIMIT $1"
    ));
    all(db, query.bind(i64::from(limit))).await
}

/// The pattern that matches what holds `text`.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
