//! What differs between two versions of a dataset.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::{
    datasets as records,
    manifest::{self, Change as Changed},
};
use utoipa::{IntoParams, ToSchema};

use super::versions::version;
use crate::{
    api::files,
    app::App,
    auth::Principal,
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// Which version to compare with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// The number or an alias of the older version; the one before where left out.
    from: Option<String>,
}

/// How a path differs.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HowChanged {
    /// Only the newer version has it.
    Added,
    /// Only the older version has it.
    Removed,
    /// Both have it, with other content.
    Modified,
}

/// A path that differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedPath {
    /// The path.
    path: String,
    /// How it differs.
    change: HowChanged,
}

impl From<manifest::Difference> for ChangedPath {
    fn from(difference: manifest::Difference) -> Self {
        Self {
            path: difference.path,
            change: match difference.change {
                Changed::Added => HowChanged::Added,
                Changed::Removed => HowChanged::Removed,
                Changed::Modified => HowChanged::Modified,
            },
        }
    }
}

/// What changed between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDiff {
    /// The number of the older one; null where there is none.
    from: Option<i64>,
    /// The number of the newer one.
    to: i64,
    /// The paths that differ, in order; at most 10,000.
    changes: Vec<ChangedPath>,
    /// Whether there are more.
    more: bool,
}

/// Compares a version with an older one.
#[utoipa::path(get, path = "/projects/{project}/datasets/{dataset}/versions/{version}/diff", operation_id = "diff_dataset_versions",
    tag = "datasets",
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias"), DiffQuery),
    responses((status = 200, body = VersionDiff), (status = "4XX", body = Envelope)))]
pub(crate) async fn diff_dataset_versions(
    State(app): State<App>,
    principal: Principal,
    Path(names): Path<(String, String, String)>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<VersionDiff>, ApiError> {
    let to = version(&app, &principal, &names).await?;
    let from = match &query.from {
        Some(which) => Some(
            records::find(app.db(), to.dataset_id, which)
                .await?
                .ok_or_else(|| ApiError::not_found("version"))?,
        ),
        None => records::by_number(app.db(), to.dataset_id, to.number - 1).await?,
    };
    let (changes, more) = match &from {
        None => (Vec::new(), false),
        Some(from) => {
            let before = files::digest(&from.manifest_digest)?;
            let after = files::digest(&to.manifest_digest)?;
            let compared = manifest::diff(app.control().store(), before, after).await?;
            compared.ok_or_else(|| ApiError::internal("a version's manifest is missing"))?
        }
    };
    Ok(Json(VersionDiff {
        from: from.map(|from| from.number),
        to: to.number,
        changes: changes.into_iter().map(ChangedPath::from).collect(),
        more,
    }))
}
