//! The REST API under `/api/v1`: one file for each resource, each handler extracts, authorises, makes one call and answers with a type.

mod account;
mod audit;
mod catalog;
mod collections;
mod datasets;
mod devices;
mod files;
mod holds;
mod info;
mod inputs;
mod jobs;
mod lineage;
mod logs;
mod machines;
mod members;
mod notebooks;
mod placed;
mod projects;
mod scrubs;
mod series;
mod sessions;
mod tokens;
mod types;
mod uploads;
mod users;
mod workspaces;

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{app::App, auth::ms, error::ApiError, events, openapi};

/// The routes and their description.
pub(crate) fn router(limit: Duration) -> (Router<App>, OpenApi) {
    let bounded = bounded().layer(axum::middleware::from_fn(move |request, next| {
        within(limit, request, next)
    }));
    let (router, paths) = bounded.merge(streaming()).split_for_parts();
    (router, openapi::describe(paths))
}

/// Requests that are answered at once, and must be.
fn bounded() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(info::get_info))
        .routes(routes!(sessions::create_session, sessions::delete_session))
        .routes(routes!(sessions::list_sessions, sessions::delete_sessions))
        .routes(routes!(tokens::exchange_link))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .routes(routes!(devices::create_device))
        .routes(routes!(devices::poll_device))
        .routes(routes!(devices::get_device))
        .routes(routes!(devices::approve_device))
        .routes(routes!(devices::deny_device))
        .routes(routes!(account::get_me, account::update_me))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::update_user))
        .routes(routes!(users::create_user_link))
        .routes(routes!(audit::list_audit))
        .routes(routes!(
            collections::list_collections,
            collections::create_collection
        ))
        .routes(routes!(collections::get_collection))
        .routes(routes!(scrubs::list_scrubs))
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(
            projects::get_project,
            projects::update_project,
            projects::delete_project
        ))
        .routes(routes!(members::list_members))
        .routes(routes!(members::put_member, members::delete_member))
        .routes(routes!(
            workspaces::list_project_workspaces,
            workspaces::create_workspace
        ))
        .routes(routes!(workspaces::list_workspaces))
        .routes(routes!(
            workspaces::get_workspace,
            workspaces::delete_workspace
        ))
        .routes(routes!(workspaces::start_workspace))
        .routes(routes!(workspaces::stop_workspace))
        .routes(routes!(workspaces::restart_workspace))
        .routes(routes!(workspaces::open_workspace))
        .routes(routes!(
            workspaces::put_workspace_input,
            workspaces::delete_workspace_input
        ))
        .routes(routes!(workspaces::get_workspace_log))
        .merge(work())
}

/// More of the same: jobs, uploads and what there is to choose from.
fn work() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(
            routes!(notebooks::propose_cells)
                .layer(DefaultBodyLimit::max(notebooks::NOTEBOOK_BYTES)),
        )
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::list_project_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::stop_job))
        .routes(routes!(holds::hold_job, holds::end_hold))
        .routes(routes!(series::get_job_series))
        .routes(routes!(logs::get_job_log))
        .routes(routes!(files::list_job_files))
        .routes(routes!(files::list_job_outputs))
        .routes(routes!(uploads::create_upload))
        .routes(routes!(uploads::declare_entries))
        .routes(routes!(uploads::delete_upload))
        .routes(routes!(datasets::list_datasets, datasets::create_dataset))
        .routes(routes!(
            datasets::get_dataset,
            datasets::update_dataset,
            datasets::delete_dataset
        ))
        .routes(routes!(datasets::list_dataset_versions))
        .routes(routes!(
            datasets::get_dataset_version,
            datasets::retract_dataset_version
        ))
        .routes(routes!(datasets::list_dataset_files))
        .routes(routes!(datasets::diff_dataset_versions))
        .routes(routes!(lineage::get_lineage))
        .routes(routes!(datasets::create_adoption))
        .routes(routes!(datasets::get_adoption))
        .routes(routes!(datasets::list_dataset_alias_moves))
        .routes(routes!(
            datasets::put_dataset_alias,
            datasets::delete_dataset_alias
        ))
        .routes(routes!(catalog::list_environments))
        .routes(routes!(catalog::get_environment_log))
        .routes(routes!(catalog::build_environment))
        .routes(routes!(machines::list_machine_types))
        .routes(routes!(machines::list_machines, machines::create_machine))
        .routes(routes!(machines::create_machine_token))
        .routes(routes!(workspaces::list_workspace_runs))
        .routes(routes!(machines::update_machine, machines::delete_machine))
}

/// Requests that last as long as they last: streams, contents, and what first reads or writes a whole folder.
fn streaming() -> OpenApiRouter<App> {
    let objects = routes!(uploads::get_upload_offset, uploads::put_upload_object);
    OpenApiRouter::new()
        .routes(routes!(events::follow_events))
        .routes(routes!(logs::follow_job_log))
        .routes(routes!(files::get_job_file))
        .routes(routes!(files::get_job_files))
        .routes(routes!(files::get_job_output))
        .routes(routes!(files::get_job_outputs))
        .routes(routes!(files::get_job_notebook_page))
        .routes(routes!(datasets::create_dataset_version))
        .routes(routes!(datasets::verify_dataset_version))
        .routes(routes!(datasets::get_dataset_file))
        .routes(routes!(datasets::get_dataset_files))
        .routes(routes!(jobs::create_job).layer(DefaultBodyLimit::max(notebooks::NOTEBOOK_BYTES)))
        .routes(routes!(jobs::rerun_job))
        .routes(routes!(holds::resume_job).layer(DefaultBodyLimit::max(notebooks::NOTEBOOK_BYTES)))
        .routes(routes!(holds::get_hold_answer))
        .routes(objects.layer(DefaultBodyLimit::disable()))
        .routes(routes!(uploads::put_upload_objects).layer(DefaultBodyLimit::disable()))
        .routes(routes!(uploads::seal_upload))
}

/// The moment that lies `duration` after now, in milliseconds since 1970, UTC.
fn after(app: &App, duration: Duration) -> i64 {
    app.db().now_ms().saturating_add(ms(duration))
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable("the request took too long").into_response(),
    }
}
