//! The gateway as a whole: its state, and the way of a request from a listener to the API, a page or a workspace.

use std::{ops::Deref, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use control::Control;
use http::{HeaderValue, StatusCode, header};
use storage::Db;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, api, assets,
    auth::{changes, passwords::Passwords, rate::Failures},
    error::ApiError,
    events::Streams,
    health,
    machines::connect::connect_machine,
    metrics::Metrics,
    openapi,
    origins::Origins,
    scheduler, stack,
};

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What every handler can reach.
pub struct Inner {
    config: Config,
    control: Control,
    metrics: Metrics,
    passwords: Passwords,
    sign_in_failures: Failures,
    device_starts: Failures,
    device_guesses: Failures,
    changes: watch::Receiver<u64>,
    streams: Streams,
    origins: Origins,
    ending: CancellationToken,
}

impl App {
    /// Puts the gateway together. Must be called within a tokio runtime: it follows the events that change rights.
    pub fn new(config: Config, control: Control) -> Self {
        let limits = config.limits;
        Self(Arc::new(Inner {
            passwords: Passwords::new(limits.password_checks),
            sign_in_failures: Failures::new(limits.password_failures, limits.password_wait),
            device_starts: Failures::new(limits.device_starts, limits.password_wait),
            device_guesses: Failures::new(limits.device_guesses, limits.password_wait),
            streams: Streams::new(limits.streams),
            metrics: Metrics::default(),
            changes: changes::follow(control.db()),
            origins: Origins::new(&config),
            ending: CancellationToken::new(),
            config,
            control,
        }))
    }

    /// The API, health, metrics and pages: everything on the app's own origin but the proxy.
    pub fn router(&self) -> Router {
        let (api, description) = api::router(self.config().limits.request);
        let description = openapi::text(&description);
        Router::new()
            .nest("/api/v1", api.fallback(unknown_operation))
            .route(
                "/api/openapi.json",
                get(async move || described(description)),
            )
            .route("/api/v1/machines/connect", get(connect_machine))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .nest("/scheduler", scheduler::router())
            .layer(DefaultBodyLimit::max(self.config().limits.json_bytes))
            .fallback(page)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn_with_state(self.clone(), stack::around))
            .with_state(self.clone())
    }
}

impl Inner {
    /// What the gateway was told at start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Decides about work.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The records.
    pub fn db(&self) -> &Db {
        self.control.db()
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    pub(crate) fn sign_in_failures(&self) -> &Failures {
        &self.sign_in_failures
    }

    pub(crate) fn device_starts(&self) -> &Failures {
        &self.device_starts
    }

    pub(crate) fn device_guesses(&self) -> &Failures {
        &self.device_guesses
    }

    /// Moves whenever somebody's rights, or where a server is, may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Ends every event and log stream: clients of a service that stops follow the next one.
    pub(crate) fn end_streams(&self) {
        self.ending.cancel();
    }

    /// Cancelled when streams are to end.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

async fn unknown_operation() -> ApiError {
    ApiError::not_found("operation")
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take this method.",
    )
}

async fn page(request: Request) -> Response {
    assets::serve(request.method(), request.uri().path(), request.headers())
}

fn described(description: Bytes) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], description).into_response()
}
