//! The one resumable way in for content: declare hashes, hear which are missing, send those, seal.

use std::time::Duration;

use axum::{BoxError, body::Body, extract::State};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use storage::{
    ids::{ProjectId, UploadId},
    objects::Hash,
    snapshots,
    uploads::{self as records, Declared},
};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::jobs::Skipped;
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// How long a body may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// What an upload becomes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadKind {
    /// Code to run.
    Snapshot,
    /// Files of a job.
    Outputs,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadState {
    /// It takes entries and objects.
    Open,
    /// It is done.
    Sealed,
    /// It was given up.
    Aborted,
}

/// An upload to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// What it becomes.
    kind: UploadKind,
    /// The digest of a manifest: what is declared are then changes of that. The project must hold it whole, as a version, snapshot or outputs of its
    /// own; else there is no such base.
    base: Option<String>,
}

/// Content on its way into a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Upload {
    /// Never changes.
    #[schema(value_type = String)]
    id: UploadId,
    /// Where it goes.
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// What it becomes.
    kind: UploadKind,
    /// How far it is.
    state: UploadState,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// It is given up when nothing arrives until then, in milliseconds since 1970, UTC.
    expires_ms: i64,
}

impl From<records::Upload> for Upload {
    fn from(upload: records::Upload) -> Self {
        Self {
            id: upload.id,
            project_id: upload.project_id,
            kind: match upload.kind {
                records::Kind::Snapshot => UploadKind::Snapshot,
                records::Kind::Outputs => UploadKind::Outputs,
            },
            state: match upload.state {
                records::State::Open => UploadState::Open,
                records::State::Sealed => UploadState::Sealed,
                records::State::Aborted => UploadState::Aborted,
            },
            created_ms: upload.created_ms,
            expires_ms: upload.expires_ms,
        }
    }
}

/// A file, a symbolic link, or a path of the base that is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEntry {
    /// Where it is to be.
    path: String,
    /// The BLAKE3 of a file's content, in hexadecimal.
    hash: Option<String>,
    /// The size of a file in bytes.
    #[serde(default)]
    size: u64,
    /// Whether a file may be executed.
    #[serde(default)]
    executable: bool,
    /// Where a symbolic link points.
    target: Option<String>,
    /// Whether the path is taken away, which the base may have.
    #[serde(default)]
    removed: bool,
}

/// What must be sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Missing {
    /// The hashes that this project does not hold.
    missing: Vec<String>,
}

/// How far an object has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Received {
    /// The bytes that are here; the next request goes on from there.
    offset: u64,
    /// Whether it is whole and proven.
    complete: bool,
}

/// What has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceivedObjects {
    /// How many objects; each is whole and proven.
    objects: u64,
}

/// What an upload became.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sealed {
    /// Names the manifest.
    manifest_digest: String,
    /// What anybody can compute from the files.
    content_digest: String,
    /// How many files.
    files: u64,
    /// How many bytes.
    bytes: u64,
    /// The snapshot, where it became one.
    snapshot: Option<Snapshot>,
}

/// Code that jobs can run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Snapshot {
    /// Never changes.
    id: String,
    /// Names the manifest.
    manifest_digest: String,
    /// What anybody can compute from the files.
    content_digest: String,
    /// How many files.
    files: i64,
    /// How many bytes.
    bytes: i64,
    /// What was left out.
    skipped: Vec<Skipped>,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
}

impl From<snapshots::Snapshot> for Snapshot {
    fn from(snapshot: snapshots::Snapshot) -> Self {
        Self {
            id: snapshot.id.to_string(),
            manifest_digest: snapshot.manifest_digest,
            content_digest: snapshot.content_digest,
            files: snapshot.files,
            bytes: snapshot.bytes,
            skipped: snapshot.skipped.into_iter().map(Skipped::from).collect(),
            created_ms: snapshot.created_ms,
        }
    }
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OffsetQuery {
    /// Where the body belongs in the object: 0, or the offset that the server told.
    #[serde(default)]
    offset: u64,
}

/// Begins an upload, of everything or of what has changed since a base. Without such a base the answer is 404: begin it without one.
#[utoipa::path(post, path = "/projects/{project}/uploads", operation_id = "create_upload", tag = "uploads", request_body = NewUpload,
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 201, body = Upload), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_upload(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Json(new): Json<NewUpload>,
) -> Result<(StatusCode, Json<Upload>), ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::Upload, &project).await?;
    let kind = match new.kind {
        UploadKind::Snapshot => records::Kind::Snapshot,
        UploadKind::Outputs => records::Kind::Outputs,
    };
    let base = new.base.as_deref().map(str::parse).transpose();
    let base = base.map_err(|_| {
        ApiError::invalid("`base` is the digest of a manifest: 64 hexadecimal digits.")
    })?;
    let store = app.control().store();
    let upload = records::create(store, project.id, principal.user.id, kind, base).await?;
    Ok((StatusCode::CREATED, Json(upload.into())))
}

/// Declares files, at most 10,000 at once, and says which contents must be sent.
#[utoipa::path(post, path = "/uploads/{upload}/entries", operation_id = "declare_entries", tag = "uploads", request_body = Vec<NewEntry>,
    params(("upload" = String, Path, description = "Id")),
    responses((status = 200, body = Missing), (status = "4XX", body = Envelope)))]
pub(crate) async fn declare_entries(
    State(app): State<App>,
    principal: Principal,
    Path(upload): Path<String>,
    Json(entries): Json<Vec<NewEntry>>,
) -> Result<Json<Missing>, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    let entries = entries
        .into_iter()
        .map(declared)
        .collect::<Result<Vec<_>, _>>()?;
    let missing = records::declare(app.control().store(), upload.id, &entries).await?;
    let missing = missing.iter().map(Hash::to_string).collect();
    Ok(Json(Missing { missing }))
}

fn declared(entry: NewEntry) -> Result<Declared, ApiError> {
    let hash = entry.hash.as_deref().map(str::parse).transpose();
    Ok(Declared {
        hash: hash.map_err(|_| {
            ApiError::invalid("`hash` is the BLAKE3 of the content: 64 hexadecimal digits.")
        })?,
        path: entry.path,
        size: entry.size,
        executable: entry.executable,
        target: entry.target,
        removed: entry.removed,
    })
}

/// Says how far an object has come, in the headers `upload-offset` and `upload-complete`.
#[utoipa::path(head, path = "/uploads/{upload}/objects/{hash}", operation_id = "get_upload_offset", tag = "uploads",
    params(("upload" = String, Path, description = "Id"), ("hash" = String, Path, description = "BLAKE3, hexadecimal")),
    responses((status = 200, description = "Told in the headers"), (status = "4XX", description = "No such upload or hash")))]
pub(crate) async fn get_upload_offset(
    State(app): State<App>,
    principal: Principal,
    Path((upload, hash)): Path<(String, String)>,
) -> Result<HeaderMap, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    let received = records::received(app.control().store(), upload.id, object(&hash)?).await?;
    let complete = if received.complete { "1" } else { "0" };
    let mut headers = HeaderMap::new();
    headers.insert("upload-offset", HeaderValue::from(received.offset));
    headers.insert("upload-complete", HeaderValue::from_static(complete));
    Ok(headers)
}

/// Sends an object, or the rest of it from `offset` on. What arrives of a broken request is kept.
#[utoipa::path(put, path = "/uploads/{upload}/objects/{hash}", operation_id = "put_upload_object", tag = "uploads",
    request_body(content_type = "application/octet-stream"),
    params(("upload" = String, Path, description = "Id"), ("hash" = String, Path, description = "BLAKE3, hexadecimal"), OffsetQuery),
    responses((status = 200, body = Received), (status = "4XX", body = Envelope)))]
pub(crate) async fn put_upload_object(
    State(app): State<App>,
    principal: Principal,
    Path((upload, hash)): Path<(String, String)>,
    Query(query): Query<OffsetQuery>,
    body: Body,
) -> Result<Json<Received>, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    let body = arriving(body);
    let store = app.control().store();
    let received = records::put(store, upload.id, object(&hash)?, query.offset, body).await?;
    let (offset, complete) = (received.offset, received.complete);
    Ok(Json(Received { offset, complete }))
}

/// Sends several objects of at most 1 MiB each. Those that arrived whole before a request broke are kept; sending one again is fine.
///
/// The body is the objects one after the other: the 32 bytes of the BLAKE3 of the content, its length as 8 bytes with the lowest first, the content.
#[utoipa::path(post, path = "/uploads/{upload}/objects", operation_id = "put_upload_objects", tag = "uploads",
    request_body(content_type = "application/octet-stream"),
    params(("upload" = String, Path, description = "Id")),
    responses((status = 200, body = ReceivedObjects), (status = "4XX", body = Envelope)))]
pub(crate) async fn put_upload_objects(
    State(app): State<App>,
    principal: Principal,
    Path(upload): Path<String>,
    body: Body,
) -> Result<Json<ReceivedObjects>, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    let body = arriving(body);
    let objects = records::put_several(app.control().store(), upload.id, body).await?;
    Ok(Json(ReceivedObjects { objects }))
}

/// Completes an upload. Sealing again answers the same.
#[utoipa::path(post, path = "/uploads/{upload}/seal", operation_id = "seal_upload", tag = "uploads",
    params(("upload" = String, Path, description = "Id")),
    responses((status = 200, body = Sealed), (status = "4XX", body = Envelope)))]
pub(crate) async fn seal_upload(
    State(app): State<App>,
    principal: Principal,
    Path(upload): Path<String>,
) -> Result<Json<Sealed>, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    let sealed = records::seal(app.control().store(), upload.id).await?;
    let snapshot = match sealed.snapshot_id {
        Some(id) => snapshots::get(app.db(), id).await?,
        None => None,
    };
    let summary = sealed.captured.summary;
    Ok(Json(Sealed {
        manifest_digest: summary.manifest_digest.to_string(),
        content_digest: summary.content_digest.to_string(),
        files: summary.files,
        bytes: summary.bytes,
        snapshot: snapshot.map(Snapshot::from),
    }))
}

/// Gives an upload up.
#[utoipa::path(delete, path = "/uploads/{upload}", operation_id = "delete_upload", tag = "uploads",
    params(("upload" = String, Path, description = "Id")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_upload(
    State(app): State<App>,
    principal: Principal,
    Path(upload): Path<String>,
) -> Result<StatusCode, ApiError> {
    let upload = authz::upload(&app, &principal, &upload).await?;
    records::abort(app.control().store(), upload.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A body as long as it goes on coming: who sends nothing holds what was gathered of it no longer.
fn arriving(body: Body) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    stream::unfold(body.into_data_stream(), |mut body| async move {
        let item = match timeout(SILENCE, body.next()).await {
            Ok(item) => item?.map_err(BoxError::from),
            Err(_) => Err("nothing came for a minute".into()),
        };
        Some((item, body))
    })
}

fn object(hash: &str) -> Result<Hash, ApiError> {
    hash.parse().map_err(|_| ApiError::not_found("object"))
}
