//! Versions of datasets: making, listing and taking them back, and their files.

use axum::{extract::State, response::Response};
use control::datasets::{Content, NewPart as Part, NewVersion as NewRecord};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{datasets as records, ids::VersionId, manifest::Clash, uploads::Kind};
use utoipa::ToSchema;

use crate::{
    api::{
        datasets::Integrity,
        files::{self, ContentQuery, File, FilesQuery, SeveralFiles},
        inputs,
        types::{Listing, PageQuery},
    },
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// The most sources and aliases of a version to make.
const MOST_SOURCES: usize = 100;
const MOST_ALIASES: usize = 20;

/// Where a version came from.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Somebody sent it.
    Upload,
    /// A job left it.
    Job,
    /// It was made of other versions and outputs.
    Derived,
    /// It lies in a store of somebody else's.
    Adopted,
    /// It was taken out of a workspace.
    Workspace,
}

impl From<records::Origin> for Origin {
    fn from(origin: records::Origin) -> Self {
        match origin {
            records::Origin::Upload => Self::Upload,
            records::Origin::Job => Self::Job,
            records::Origin::Derived => Self::Derived,
            records::Origin::Adopted => Self::Adopted,
            records::Origin::Workspace => Self::Workspace,
        }
    }
}

/// A version of a dataset. It never changes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Never changes.
    #[schema(value_type = String)]
    id: VersionId,
    /// Its number in the dataset, from 1.
    number: i64,
    /// Its identity.
    manifest_digest: String,
    /// What anybody can compute of its files with `b3sum`.
    content_digest: String,
    /// How many files.
    files: i64,
    /// How many bytes.
    bytes: i64,
    /// What is new in it.
    message: String,
    /// What its maker says of it.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Where it came from.
    origin: Origin,
    /// Who made it.
    user: String,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// When it was taken back, in milliseconds since 1970, UTC; null while it is good.
    retracted_ms: Option<i64>,
    /// What the last check of its files found.
    integrity: Integrity,
    /// When that was, in milliseconds since 1970, UTC; null before the first.
    checked_ms: Option<i64>,
}

impl From<records::Version> for Version {
    fn from(version: records::Version) -> Self {
        Self {
            id: version.id,
            number: version.number,
            manifest_digest: version.manifest_digest,
            content_digest: version.content_digest,
            files: version.files,
            bytes: version.bytes,
            message: version.message,
            metadata: version.metadata,
            origin: version.origin.into(),
            user: version.user,
            created_ms: version.created_ms,
            retracted_ms: version.retracted_ms,
            integrity: version.integrity.into(),
            checked_ms: version.checked_ms,
        }
    }
}

/// What a version was made of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionSource {
    /// The reference; one to an alias names the version that it was.
    #[serde(rename = "ref")]
    reference: String,
    /// The manifest that it meant.
    manifest_digest: String,
}

/// A version with where it came from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDetails {
    /// The version.
    version: Version,
    /// What it was made of; empty for what somebody sent.
    sources: Vec<VersionSource>,
}

/// What happens where two sources have different files at one path.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnClash {
    /// No version is made; the answer names the paths.
    #[default]
    Refuse,
    /// The earlier source wins.
    First,
    /// The later source wins.
    Last,
}

/// A version to make: of an upload, or of sources, which copies nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVersion {
    /// What was sent, in an upload of kind `outputs` in the same project.
    upload_id: Option<String>,
    /// Or parts of other versions and of what jobs left. One with a `keep` is a subset, one with a `drop` a removal, several are a merge.
    sources: Option<Vec<NewSource>>,
    /// What happens where two sources have different files at one path.
    #[serde(default)]
    on_clash: OnClash,
    /// What is new in it.
    #[serde(default)]
    message: String,
    /// What is to be known of it.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Aliases that are moved to it.
    #[serde(default)]
    aliases: Vec<String>,
}

/// Some files for a new version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    /// Where they are: `NAME:VERSION[/PATH]` or `[PROJECT]#NUMBER[/PATH]`.
    #[serde(rename = "ref")]
    reference: String,
    /// The folder that they go to; the new path where `ref` is a single file. The top where left out.
    to: Option<String>,
    /// Takes only what one of these patterns matches: `**/*.csv`.
    #[serde(default)]
    keep: Vec<String>,
    /// Leaves out what one of these matches.
    #[serde(default)]
    drop: Vec<String>,
}

/// Lists the versions of a dataset, also those that were taken back.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/versions", operation_id = "list_dataset_versions", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"), PageQuery),
    responses((status = 200, body = Listing<Version>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_dataset_versions(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listing<Version>>, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ReadDataset, names).await?;
    let list = records::list_versions(app.db(), dataset.id, &query.page()?).await?;
    Ok(Json(list.into()))
}

/// Makes a version. Where the newest one holds the very same files, that one is the answer, with status 200.
#[utoipa::path(post, path = "/projects/{project}/datasets/{dataset}/versions", operation_id = "create_dataset_version", tag = "datasets",
    request_body = NewVersion,
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name")),
    responses((status = 201, body = Version), (status = 200, body = Version, description = "Nothing is new"), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_dataset_version(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
    Json(new): Json<NewVersion>,
) -> Result<(StatusCode, Json<Version>), ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    if new.aliases.len() > MOST_ALIASES {
        return Err(ApiError::invalid(
            "A version is given at most 20 aliases at once.",
        ));
    }
    let content = content(&app, &principal, &dataset, &new).await?;
    let new = NewRecord {
        content,
        message: new.message,
        metadata: new.metadata,
        aliases: new.aliases,
    };
    let made = app.control().make_version(&dataset, principal.user.id, new);
    let made = made.await?;
    let status = if made.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(made.version.into())))
}

/// What the version is to hold, once it is clear that the caller may read all of it.
async fn content(
    app: &App,
    principal: &Principal,
    dataset: &records::Dataset,
    new: &NewVersion,
) -> Result<Content, ApiError> {
    match (&new.upload_id, &new.sources) {
        (Some(upload), None) => {
            let upload = authz::upload(app, principal, upload).await?;
            if upload.kind != Kind::Outputs {
                return Err(ApiError::invalid(
                    "A version is made of an upload of the kind `outputs`.",
                ));
            }
            if upload.project_id != dataset.project_id {
                return Err(ApiError::invalid("The upload is of another project."));
            }
            Ok(Content::Upload(upload.id))
        }
        (None, Some(sources)) if sources.len() > MOST_SOURCES => {
            Err(ApiError::invalid("A version has at most 100 sources."))
        }
        (None, Some(sources)) => {
            let mut parts = Vec::with_capacity(sources.len());
            for source in sources {
                let reference =
                    inputs::readable_reference(app, principal, &dataset.project, &source.reference)
                        .await?;
                parts.push(Part {
                    reference,
                    to: source.to.clone(),
                    keep: source.keep.clone(),
                    drop: source.drop.clone(),
                });
            }
            let clash = match new.on_clash {
                OnClash::Refuse => Clash::Refuse,
                OnClash::First => Clash::First,
                OnClash::Last => Clash::Last,
            };
            Ok(Content::Parts(parts, clash))
        }
        _ => Err(ApiError::invalid(
            "A version is made of either `upload_id` or `sources`: give exactly one of them.",
        )),
    }
}

/// Shows a version and what it was made of.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/versions/{version}", operation_id = "get_dataset_version", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias")),
    responses((status = 200, body = VersionDetails), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_dataset_version(
    State(app): State<App>,
    principal: Principal,
    Path(names): Path<(String, String, String)>,
) -> Result<Json<VersionDetails>, ApiError> {
    let version = version(&app, &principal, &names).await?;
    let sources = records::sources(app.db(), version.id).await?;
    let source = |source: records::Source| VersionSource {
        reference: source.reference,
        manifest_digest: source.manifest_digest,
    };
    Ok(Json(VersionDetails {
        version: version.into(),
        sources: sources.into_iter().map(source).collect(),
    }))
}

/// Takes a version back: nothing new can use it. What already does keeps its files, and its number is not given again.
#[utoipa::path(delete, path = "/projects/{project}/datasets/{dataset}/versions/{version}", operation_id = "retract_dataset_version",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = i64, Path, description = "Number")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn retract_dataset_version(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset, version)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    // By its number only: an alias may have been moved since the caller looked.
    let number: i64 = version
        .parse()
        .map_err(|_| ApiError::not_found("version"))?;
    let (id, by) = (dataset.id, principal.user.id);
    app.db()
        .write(move |mut tx| async move { records::retract(&mut tx, id, number, by).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists a folder of a version.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/versions/{version}/files", operation_id = "list_dataset_files",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias"), FilesQuery),
    responses((status = 200, body = Listing<File>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_dataset_files(
    State(app): State<App>,
    principal: Principal,
    Path(names): Path<(String, String, String)>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Listing<File>>, ApiError> {
    let version = version(&app, &principal, &names).await?;
    files::list(&app, files::digest(&version.manifest_digest)?, query).await
}

/// Sends a file of a version. Ranges are honoured. Only types that can carry no script are shown in the browser.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/versions/{version}/files/content", operation_id = "get_dataset_file",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias"), ContentQuery),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", content_type = "application/octet-stream"),
        (status = "4XX", body = Envelope)))]
pub(crate) async fn get_dataset_file(
    State(app): State<App>,
    principal: Principal,
    Path(names): Path<(String, String, String)>,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let version = version(&app, &principal, &names).await?;
    let manifest = files::digest(&version.manifest_digest)?;
    files::send(&app, manifest, &query, &headers).await
}

/// Sends several files of a version, of at most 1 MiB each.
///
/// Each content comes once: the 32 bytes of its BLAKE3, its length as 8 bytes with the lowest first, the content.
#[utoipa::path(post, path = "/projects/{project}/datasets/{dataset}/versions/{version}/files/contents", operation_id = "get_dataset_files",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias")), request_body = SeveralFiles,
    responses((status = 200, description = "The contents", content_type = "application/octet-stream"), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_dataset_files(
    State(app): State<App>,
    principal: Principal,
    Path(names): Path<(String, String, String)>,
    Json(several): Json<SeveralFiles>,
) -> Result<Response, ApiError> {
    let version = version(&app, &principal, &names).await?;
    let manifest = files::digest(&version.manifest_digest)?;
    files::send_several(&app, manifest, several).await
}

/// The version that a path names, if the caller may read it.
pub(super) async fn version(
    app: &App,
    principal: &Principal,
    (project, dataset, which): &(String, String, String),
) -> Result<records::Version, ApiError> {
    let dataset = authz::dataset(app, principal, Action::ReadDataset, (project, dataset)).await?;
    let found = records::find(app.db(), dataset.id, which).await?;
    found.ok_or_else(|| ApiError::not_found("version"))
}
