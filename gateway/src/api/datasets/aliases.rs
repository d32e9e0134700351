//! Aliases of versions, and where they have been.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::datasets as records;
use utoipa::ToSchema;

use crate::{
    api::types::{Listing, PageQuery},
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// A name of a version, which people move. `latest` is always there, and is not listed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alias {
    /// In references: `NAME:ALIAS`.
    name: String,
    /// The number of the version that it names.
    number: i64,
    /// Since when, in milliseconds since 1970, UTC.
    moved_ms: i64,
}

impl From<records::Alias> for Alias {
    fn from(alias: records::Alias) -> Self {
        Self {
            name: alias.name,
            number: alias.number,
            moved_ms: alias.moved_ms,
        }
    }
}

/// A move of an alias.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AliasMove {
    /// The alias.
    name: String,
    /// The number of the version that it named from then on; null where it was removed.
    number: Option<i64>,
    /// Who moved it.
    user: String,
    /// When, in milliseconds since 1970, UTC.
    moved_ms: i64,
}

impl From<records::Move> for AliasMove {
    fn from(one: records::Move) -> Self {
        Self {
            name: one.name,
            number: one.number,
            user: one.user,
            moved_ms: one.moved_ms,
        }
    }
}

/// Where to move an alias.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAlias {
    /// The number of the version that it is to name.
    number: i64,
    /// Only where it names this version now; 0: only where it is new.
    from: Option<i64>,
}

/// Lists the moves of a dataset's aliases.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/aliases", operation_id = "list_dataset_alias_moves", tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"), PageQuery),
    responses((status = 200, body = Listing<AliasMove>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_dataset_alias_moves(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listing<AliasMove>>, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ReadDataset, names).await?;
    let list = records::moves(app.db(), dataset.id, &query.page()?).await?;
    Ok(Json(list.into()))
}

/// Lets an alias name a version, wherever it was before.
#[utoipa::path(put, path = "/projects/{project}/datasets/{dataset}/aliases/{alias}", operation_id = "put_dataset_alias", tag = "datasets",
    request_body = NewAlias,
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"), ("alias" = String, Path)),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn put_dataset_alias(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset, alias)): Path<(String, String, String)>,
    Json(new): Json<NewAlias>,
) -> Result<StatusCode, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    let (id, alias, by) = (dataset.id, alias.as_str(), principal.user.id);
    let (number, from) = (new.number, new.from);
    let target = records::Target { number, from };
    app.db()
        .write(
            move |mut tx| async move { records::move_alias(&mut tx, id, alias, target, by).await },
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an alias. The version stays.
#[utoipa::path(delete, path = "/projects/{project}/datasets/{dataset}/aliases/{alias}", operation_id = "delete_dataset_alias",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"), ("alias" = String, Path)),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_dataset_alias(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset, alias)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let names = (&*project, &*dataset);
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    let (id, alias, by) = (dataset.id, alias.as_str(), principal.user.id);
    let removed = app
        .db()
        .write(move |mut tx| async move { records::remove_alias(&mut tx, id, alias, by).await });
    if removed.await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("alias"))
    }
}
