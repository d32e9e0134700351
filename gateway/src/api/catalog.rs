//! What there is to choose from: environments.

use axum::extract::State;
use control::environments as env;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::types::Listing;
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// How far an environment is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentState {
    /// Never built; the first use builds it.
    Missing,
    /// Being built.
    Building,
    /// Ready for use.
    Ready,
    /// The last build failed.
    Failed,
}

impl From<env::State> for EnvironmentState {
    fn from(state: env::State) -> Self {
        match state {
            env::State::Missing => Self::Missing,
            env::State::Building => Self::Building,
            env::State::Ready => Self::Ready,
            env::State::Failed => Self::Failed,
        }
    }
}

/// The software that servers and jobs run with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Environment {
    /// Its name in the configuration.
    name: String,
    /// Changes with its content.
    digest: Option<String>,
    /// How far it is.
    state: EnvironmentState,
    /// Why the last build failed.
    message: Option<String>,
    /// Its packages, as pip writes requirements.
    packages: Vec<String>,
    /// Where it is a container image: the image's name, or what it is built from.
    image: Option<String>,
    /// Its version of Python, where one is asked for.
    python: Option<String>,
}

impl From<env::Environment> for Environment {
    fn from(environment: env::Environment) -> Self {
        Self {
            name: environment.name,
            digest: environment.digest,
            state: environment.state.into(),
            message: environment.message,
            packages: environment.packages,
            image: environment.image,
            python: environment.python,
        }
    }
}

/// Part of the log of a build.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BuildLog {
    /// The text.
    text: String,
    /// The offset to ask for next.
    next: u64,
}

/// Which part.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BuildLogQuery {
    /// Where to begin: 0, or `next` of the part before.
    #[serde(default)]
    offset: u64,
}

/// Lists the environments by name.
#[utoipa::path(get, path = "/environments", operation_id = "list_environments", tag = "catalog",
    responses((status = 200, body = Listing<Environment>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_environments(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Listing<Environment>>, ApiError> {
    authz::require_general(&principal, Action::ReadCatalog)?;
    Ok(Json(Listing::whole(app.control().environments().await?)))
}

/// Reads the log of an environment's last build.
#[utoipa::path(get, path = "/environments/{environment}/log", operation_id = "get_environment_log", tag = "catalog",
    params(("environment" = String, Path, description = "Name"), BuildLogQuery),
    responses((status = 200, body = BuildLog), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_environment_log(
    State(app): State<App>,
    principal: Principal,
    Path(environment): Path<String>,
    Query(query): Query<BuildLogQuery>,
) -> Result<Json<BuildLog>, ApiError> {
    authz::require_general(&principal, Action::ReadCatalog)?;
    let log = app
        .control()
        .environment_log(&environment, query.offset)
        .await?;
    let (text, next) = (log.text, log.next);
    Ok(Json(BuildLog { text, next }))
}

/// Begins to build an environment, unless it is ready or being built.
#[utoipa::path(post, path = "/environments/{environment}/build", operation_id = "build_environment", tag = "catalog",
    params(("environment" = String, Path, description = "Name")),
    responses((status = 202, body = Environment), (status = "4XX", body = Envelope)))]
pub(crate) async fn build_environment(
    State(app): State<App>,
    principal: Principal,
    Path(environment): Path<String>,
) -> Result<(StatusCode, Json<Environment>), ApiError> {
    authz::require_general(&principal, Action::BuildEnvironment)?;
    let environment = app.control().build_environment(&environment).await?;
    Ok((StatusCode::ACCEPTED, Json(environment.into())))
}
