//! Datasets of projects.

mod adoptions;
mod aliases;
mod diff;
mod verify;
mod versions;

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{
    datasets::{self as records, Change, NewDataset as NewRecord},
    ids::{DatasetId, ProjectId},
};
use utoipa::ToSchema;

pub(crate) use adoptions::*;
pub(crate) use aliases::*;
pub(crate) use diff::*;
pub(crate) use verify::*;
pub(crate) use versions::*;

use super::types::{Listing, PageQuery};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// Who may read a dataset, besides the members of its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Visibility {
    /// Nobody.
    #[default]
    Project,
    /// Everybody who is signed in.
    Organisation,
    /// Everybody who is signed in.
    Public,
}

impl From<Visibility> for records::Visibility {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Project => Self::Project,
            Visibility::Organisation => Self::Organisation,
            Visibility::Public => Self::Public,
        }
    }
}

impl From<records::Visibility> for Visibility {
    fn from(visibility: records::Visibility) -> Self {
        match visibility {
            records::Visibility::Project => Self::Project,
            records::Visibility::Organisation => Self::Organisation,
            records::Visibility::Public => Self::Public,
        }
    }
}

/// Data under one name, in versions that never change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dataset {
    /// Never changes.
    #[schema(value_type = String)]
    id: DatasetId,
    /// The project that owns it.
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// That project's name.
    project: String,
    /// In references: `NAME:VERSION`.
    name: String,
    /// What it is.
    description: String,
    /// Words to find it by.
    tags: Vec<String>,
    /// Who may read it.
    visibility: Visibility,
    /// Who made it.
    user: String,
    /// Its newest version; null before the first.
    latest: Option<Version>,
    /// Names of versions.
    aliases: Vec<Alias>,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
}

impl Dataset {
    async fn new(app: &App, dataset: records::Dataset) -> Result<Self, ApiError> {
        let latest = records::latest(app.db(), dataset.id).await?;
        let aliases = records::aliases(app.db(), dataset.id).await?;
        Ok(Self::with(dataset, latest, aliases))
    }

    /// Those of a page, with what else is told of each read at once.
    async fn all(app: &App, page: Vec<records::Dataset>) -> Result<Vec<Self>, ApiError> {
        let ids: Vec<DatasetId> = page.iter().map(|dataset| dataset.id).collect();
        let mut latest = records::latest_of(app.db(), &ids).await?;
        let mut aliases = records::aliases_of(app.db(), &ids).await?;
        let whole = page.into_iter().map(|dataset| {
            let latest = latest.remove(&dataset.id);
            let aliases = aliases.remove(&dataset.id).unwrap_or_default();
            Self::with(dataset, latest, aliases)
        });
        Ok(whole.collect())
    }

    fn with(
        dataset: records::Dataset,
        latest: Option<records::Version>,
        aliases: Vec<records::Alias>,
    ) -> Self {
        Self {
            id: dataset.id,
            project_id: dataset.project_id,
            project: dataset.project,
            name: dataset.name,
            description: dataset.description,
            tags: dataset.tags,
            visibility: dataset.visibility.into(),
            user: dataset.user,
            latest: latest.map(Version::from),
            aliases: aliases.into_iter().map(Alias::from).collect(),
            created_ms: dataset.created_ms,
        }
    }
}

/// A dataset to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDataset {
    /// In references: lower-case letters, digits, dots, underscores, hyphens.
    name: String,
    /// What it is.
    #[serde(default)]
    description: String,
    /// Words to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// Who may read it. Only owners of the project open it to others.
    #[serde(default)]
    visibility: Visibility,
}

/// What to change about a dataset; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateDataset {
    /// In references.
    name: Option<String>,
    /// What it is.
    description: Option<String>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
    /// Who may read it. Only owners of the project change that.
    visibility: Option<Visibility>,
}

/// Lists the datasets of a project.
#[utoipa::path(get, path = "/projects/{project}/datasets", operation_id = "list_datasets", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), PageQuery),
    responses((status = 200, body = Listing<Dataset>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_datasets(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listing<Dataset>>, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::ReadProject, &project).await?;
    let list = records::list(app.db(), project.id, &query.page()?).await?;
    let next = list.next;
    let items = Dataset::all(&app, list.items).await?;
    Ok(Json(Listing { items, next }))
}

/// Makes a dataset, without versions.
#[utoipa::path(post, path = "/projects/{project}/datasets", operation_id = "create_dataset", tag = "datasets", request_body = NewDataset,
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 201, body = Dataset), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_dataset(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
    Json(new): Json<NewDataset>,
) -> Result<(StatusCode, Json<Dataset>), ApiError> {
    let action = match new.visibility {
        Visibility::Project => Action::ChangeDatasets,
        Visibility::Organisation | Visibility::Public => Action::ManageDatasets,
    };
    let (project, _) = authz::project(&app, &principal, action, &project).await?;
    let new = &NewRecord {
        project_id: project.id,
        user_id: principal.user.id,
        name: new.name,
        description: new.description,
        tags: new.tags,
        visibility: new.visibility.into(),
    };
    let dataset = app
        .db()
        .write(move |mut tx| async move { records::create(&mut tx, new).await })
        .await?;
    let dataset = Dataset::new(&app, dataset).await?;
    Ok((StatusCode::CREATED, Json(dataset)))
}

/// Shows a dataset.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}", operation_id = "get_dataset", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name")),
    responses((status = 200, body = Dataset), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_dataset(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
) -> Result<Json<Dataset>, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ReadDataset, names).await?;
    Ok(Json(Dataset::new(&app, dataset).await?))
}

/// Changes what is said of a dataset.
#[utoipa::path(patch, path = "/projects/{project}/datasets/{dataset}", operation_id = "update_dataset", tag = "datasets",
    request_body = UpdateDataset,
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name")),
    responses((status = 200, body = Dataset), (status = "4XX", body = Envelope)))]
pub(crate) async fn update_dataset(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
    Json(update): Json<UpdateDataset>,
) -> Result<Json<Dataset>, ApiError> {
    let action = match update.visibility {
        None => Action::ChangeDatasets,
        Some(_) => Action::ManageDatasets,
    };
    let dataset = authz::dataset(&app, &principal, action, (&project, &dataset)).await?;
    let change = &Change {
        name: update.name,
        description: update.description,
        tags: update.tags,
        visibility: update.visibility.map(Into::into),
    };
    let id = dataset.id;
    let dataset = app
        .db()
        .write(move |mut tx| async move { records::update(&mut tx, id, change).await })
        .await?;
    Ok(Json(Dataset::new(&app, dataset).await?))
}

/// Deletes a dataset with all its versions. What was made of it, and what runs with it, keeps its files.
#[utoipa::path(delete, path = "/projects/{project}/datasets/{dataset}", operation_id = "delete_dataset", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_dataset(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ManageDatasets, names).await?;
    let id = dataset.id;
    app.db()
        .write(move |mut tx| async move { records::delete(&mut tx, id).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
