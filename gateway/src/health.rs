//! What monitors ask: is the process alive, can it serve, what has it counted.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use storage::scrub;

use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::ApiError,
    metrics,
};

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// The database answers.
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    app.db().ping().await?;
    Ok("ok\n")
}

/// The counters, for Prometheus; takes the token of an administrator.
pub(crate) async fn metrics(
    State(app): State<App>,
    principal: Principal,
) -> Result<Response, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let mut text = app.metrics().print();
    let (damaged, pass) = scrub::standing(app.db()).await?;
    metrics::print_store(&mut text, damaged, pass.as_ref());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
