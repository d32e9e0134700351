//! Files of manifests, as listings and as content; and those of jobs: the code that they ran and what they left.

use std::collections::BTreeSet;

use axum::{body::Body, extract::State, response::Response};
use control::page;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use storage::{
    jobs::Job,
    manifest::{self, FileKind},
    objects::Hash,
    snapshots,
};
use tokio_util::io::ReaderStream;
use utoipa::{IntoParams, ToSchema};

use super::types::{Listing, PageQuery};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
    preview::{self, Content, Part},
};

/// What a path is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PathKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A file or folder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct File {
    /// Its whole path.
    path: String,
    /// What it is.
    kind: PathKind,
    /// Its size; 0 for folders and links.
    bytes: u64,
    /// The BLAKE3 of a file's content.
    hash: Option<String>,
    /// Whether a file may be executed.
    executable: bool,
    /// Where a symbolic link points.
    target: Option<String>,
}

impl From<manifest::File> for File {
    fn from(file: manifest::File) -> Self {
        Self {
            path: file.path,
            kind: match file.kind {
                FileKind::File => PathKind::File,
                FileKind::Directory => PathKind::Directory,
                FileKind::Symlink => PathKind::Symlink,
            },
            bytes: file.bytes,
            hash: file.hash.map(|hash| hash.to_string()),
            executable: file.executable,
            target: file.target,
        }
    }
}

/// Which folder.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilesQuery {
    /// A folder; the top one where left out.
    #[serde(default)]
    path: String,
    /// How many items at most, 1 to 1000. Usually 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContentQuery {
    /// The file's whole path.
    path: String,
    /// `1`: as a download, whatever its type.
    download: Option<u8>,
}

/// Which files.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeveralFiles {
    /// Their whole paths, at most 1000.
    paths: BTreeSet<String>,
}

/// Lists a folder of the code that a job runs.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/files", operation_id = "list_job_files", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), FilesQuery),
    responses((status = 200, body = Listing<File>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_job_files(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Listing<File>>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = code(&app, &job).await?;
    list(&app, manifest, query).await
}

/// Lists a folder of what a job left.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/outputs", operation_id = "list_job_outputs", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), FilesQuery),
    responses((status = 200, body = Listing<File>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_job_outputs(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Listing<File>>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    match outputs(&job)? {
        Some(manifest) => list(&app, manifest, query).await,
        None => Ok(Json(Listing {
            items: Vec::new(),
            next: None,
        })),
    }
}

/// Sends a file of the code that a job runs. Ranges are honoured.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/files/content", operation_id = "get_job_file", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), ContentQuery),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", content_type = "application/octet-stream"),
        (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_file(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = code(&app, &job).await?;
    send(&app, manifest, &query, &headers).await
}

/// Sends a file that a job left. Ranges are honoured. Only types that can carry no script are shown in the browser.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/outputs/content", operation_id = "get_job_output", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), ContentQuery),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", content_type = "application/octet-stream"),
        (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_output(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = outputs(&job)?.ok_or_else(|| ApiError::not_found("file"))?;
    send(&app, manifest, &query, &headers).await
}

/// Sends several files of the code that a job runs, of at most 1 MiB each.
///
/// Each content comes once: the 32 bytes of its BLAKE3, its length as 8 bytes with the lowest first, the content.
#[utoipa::path(post, path = "/projects/{project}/jobs/{number}/files/contents", operation_id = "get_job_files", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)), request_body = SeveralFiles,
    responses((status = 200, description = "The contents", content_type = "application/octet-stream"), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_files(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Json(several): Json<SeveralFiles>,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = code(&app, &job).await?;
    send_several(&app, manifest, several).await
}

/// Sends several files that a job left, of at most 1 MiB each.
///
/// Each content comes once: the 32 bytes of its BLAKE3, its length as 8 bytes with the lowest first, the content.
#[utoipa::path(post, path = "/projects/{project}/jobs/{number}/outputs/contents", operation_id = "get_job_outputs", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)), request_body = SeveralFiles,
    responses((status = 200, description = "The contents", content_type = "application/octet-stream"), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_outputs(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Json(several): Json<SeveralFiles>,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = outputs(&job)?.ok_or_else(|| ApiError::not_found("file"))?;
    send_several(&app, manifest, several).await
}

/// Which notebook to show, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageOfNotebook {
    /// Its path.
    path: String,
    /// `0` leaves the sources of its cells out.
    code: Option<u8>,
}

/// Shows a notebook that a job left as a page of HTML, to read and to print.
///
/// What its cells put out runs in the page as it would in Jupyter, but in an origin of its own and without a network.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/outputs/page", operation_id = "get_job_notebook_page", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), PageOfNotebook),
    responses((status = 200, description = "The page", content_type = "text/html"), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_notebook_page(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<PageOfNotebook>,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let manifest = outputs(&job)?.ok_or_else(|| ApiError::not_found("file"))?;
    let name = query.path.rsplit('/').next().unwrap_or_default();
    let options = page::Options {
        title: name.to_owned(),
        code: query.code != Some(0),
        note: Some(format!("{}#{} · {}", job.project, job.number, job.state)),
    };
    let (store, scratch) = (app.control().store(), &app.control().settings().scratch);
    let made = page::of_notebook(store, manifest, &query.path, options, scratch).await?;
    Ok(preview::page(Body::from_stream(ReaderStream::new(made))))
}

async fn code(app: &App, job: &Job) -> Result<Hash, ApiError> {
    let snapshot = snapshots::get(app.db(), job.snapshot_id).await?;
    let snapshot = snapshot.ok_or_else(|| ApiError::not_found("snapshot"))?;
    digest(&snapshot.manifest_digest)
}

fn outputs(job: &Job) -> Result<Option<Hash>, ApiError> {
    let outputs = job.outputs.as_ref();
    outputs
        .map(|outputs| digest(&outputs.manifest_digest))
        .transpose()
}

/// A digest as it is recorded.
pub(super) fn digest(text: &str) -> Result<Hash, ApiError> {
    text.parse()
        .map_err(|_| ApiError::internal("a recorded digest cannot be read"))
}

pub(super) async fn list(
    app: &App,
    manifest: Hash,
    query: FilesQuery,
) -> Result<Json<Listing<File>>, ApiError> {
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    }
    .page()?;
    let (after, limit) = (page.cursor.as_deref(), page.limit as usize);
    let folder = query.path.trim_end_matches('/');
    let list = manifest::list(app.control().store(), manifest, folder, after, limit).await?;
    let list = list.ok_or_else(|| ApiError::not_found("folder"))?;
    Ok(Json(list.into()))
}

pub(super) async fn send_several(
    app: &App,
    manifest: Hash,
    several: SeveralFiles,
) -> Result<Response, ApiError> {
    let contents = manifest::several(app.control().store(), manifest, several.paths).await?;
    let contents = contents.ok_or_else(|| ApiError::not_found("file"))?;
    Ok(preview::octets(Body::from_stream(contents)))
}

pub(super) async fn send(
    app: &App,
    manifest: Hash,
    query: &ContentQuery,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("file");
    let store = app.control().store();
    let file = manifest::file(store, manifest, &query.path).await?;
    let file = file.ok_or_else(missing)?;
    let hash = file.hash.ok_or_else(missing)?.to_string();
    let content = Content {
        name: file.path.rsplit('/').next().unwrap_or_default(),
        bytes: file.bytes,
        hash: &hash,
        download: query.download == Some(1),
    };
    let part = preview::part(headers, &content)?;
    let range = match &part {
        Part::NotModified => return Ok(preview::respond(&content, &part, Body::empty())),
        Part::Whole => None,
        Part::Range(range) => Some(range.clone()),
    };
    let opened = manifest::read(store, manifest, &query.path, range).await?;
    let body = Body::from_stream(opened.ok_or_else(missing)?.body);
    Ok(preview::respond(&content, &part, body))
}
