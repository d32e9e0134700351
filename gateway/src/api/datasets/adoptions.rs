//! Adoptions: prefixes of buckets that become versions where they lie.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{adoptions as records, ids::AdoptionId};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path},
};

/// What to adopt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAdoption {
    /// Where it lies: `s3://BUCKET/PREFIX`, a part of a bucket that the configuration lets this project adopt.
    uri: String,
    /// What is new in the version.
    #[serde(default)]
    message: String,
}

/// How far an adoption is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdoptionState {
    /// It goes on, also after a restart.
    Running,
    /// There is a version.
    Done,
    /// There is none, and `error` says why.
    Failed,
}

impl From<records::State> for AdoptionState {
    fn from(state: records::State) -> Self {
        match state {
            records::State::Running => Self::Running,
            records::State::Done => Self::Done,
            records::State::Failed => Self::Failed,
        }
    }
}

/// How what lies below a prefix becomes a version: every file is read once, and none is kept here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Adoption {
    /// Never changes.
    #[schema(value_type = String)]
    id: AdoptionId,
    /// What is adopted.
    uri: String,
    /// How far it is.
    state: AdoptionState,
    /// How many files there are; 0 until all are listed.
    files: i64,
    /// How many bytes they have.
    bytes: i64,
    /// How many files are known by their content.
    done_files: i64,
    /// How many bytes were read for that, or known before.
    done_bytes: i64,
    /// Why it failed.
    error: Option<String>,
    /// The number of the version.
    version: Option<i64>,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When it ended, in milliseconds since 1970, UTC.
    ended_ms: Option<i64>,
}

impl From<records::Adoption> for Adoption {
    fn from(adoption: records::Adoption) -> Self {
        Self {
            id: adoption.id,
            uri: adoption.uri,
            state: adoption.state.into(),
            files: adoption.files,
            bytes: adoption.bytes,
            done_files: adoption.done_files,
            done_bytes: adoption.done_bytes,
            error: adoption.error,
            version: adoption.version,
            created_ms: adoption.created_ms,
            ended_ms: adoption.ended_ms,
        }
    }
}

/// Begins to adopt a part of a bucket as a version, without copying it. Where the same is under way, that is the answer.
#[utoipa::path(post, path = "/projects/{project}/datasets/{dataset}/adoptions", operation_id = "create_adoption", tag = "datasets",
    request_body = NewAdoption,
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name")),
    responses((status = 202, body = Adoption), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_adoption(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
    Json(new): Json<NewAdoption>,
) -> Result<(StatusCode, Json<Adoption>), ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    let by = principal.user.id;
    let begun = app.control().adopt(&dataset, by, &new.uri, &new.message);
    Ok((StatusCode::ACCEPTED, Json(begun.await?.into())))
}

/// Says how far an adoption is.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/adoptions/{adoption}", operation_id = "get_adoption", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("adoption" = String, Path, description = "Id")),
    responses((status = 200, body = Adoption), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_adoption(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset, adoption)): Path<(String, String, String)>,
) -> Result<Json<Adoption>, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ReadDataset, names).await?;
    let missing = || ApiError::not_found("adoption");
    let id: AdoptionId = adoption.parse().map_err(|_| missing())?;
    let found = records::get(app.db(), id).await?;
    let found = found.filter(|found| found.dataset_id == dataset.id);
    Ok(Json(found.ok_or_else(missing)?.into()))
}
