//! What surrounds every request: its id, a span, a caught panic, the error envelope, the access log, security headers.
//! It adds no time limit, body limit or compression: those belong to the API's routes alone, never to the proxy.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, header};
use tracing::Instrument;

use crate::{
    app::App,
    error::{ApiError, RequestId, write_envelope},
    metrics::Area,
    text,
};

/// What pages of the app may load: themselves, and nothing from anywhere else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; media-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; frame-src 'none'; object-src 'none'";

/// Middleware: answers the request inside a span, and finishes the answer: panics, envelopes, headers, log, metrics.
pub(crate) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = new_request_id();
    let method = request.method().clone();
    let path = shown_path(request.uri().path());
    let area = area(request.uri().path());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request.id = %id.0);
    let answered = AssertUnwindSafe(next.run(request).instrument(span.clone()))
        .catch_unwind()
        .await;
    let response = span.in_scope(|| {
        let response = answered.unwrap_or_else(|panic| after_panic(&app, panic.as_ref()));
        write_envelope(response, &id.0)
    });
    let response = with_headers(response, area, &id);
    let took = begun.elapsed();
    app.metrics().answered(area, response.status(), took);
    if app.config().access_log {
        log_access(&method, &path, &id, &response, took.as_micros());
    }
    response
}

fn area(path: &str) -> Area {
    let is_api = ["/api/", "/health/", "/metrics", "/scheduler/"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    if is_api { Area::Api } else { Area::Page }
}

fn log_access(method: &Method, path: &str, id: &RequestId, response: &Response, took_us: u128) {
    tracing::info!(
        target: "access",
        request = %id.0,
        method = %method,
        path,
        status = response.status().as_u16(),
        took_us = u64::try_from(took_us).unwrap_or(u64::MAX),
        "request"
    );
}

/// The path as it may stand in a log: without its query, which can hold codes and tokens, bounded and escaped.
fn shown_path(path: &str) -> String {
    text::bounded(path, 256).into_owned()
}

fn after_panic(app: &App, panic: &(dyn Any + Send)) -> Response {
    app.metrics().panics.fetch_add(1, Ordering::Relaxed);
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    ApiError::internal(format!("panic: {message}")).into_response()
}

fn with_headers(mut response: Response, area: Area, id: &RequestId) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(&*id.0) {
        headers.insert("x-request-id", id);
    }
    add_security(headers);
    if area == Area::Api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Headers for everything on the app's own origin; what a handler has set stays.
fn add_security(headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// An id that is unique for as long as anybody keeps logs. A client's own `x-request-id` is not believed.
pub(crate) fn new_request_id() -> RequestId {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let process = PROCESS
        .get_or_init(|| getrandom::u32().expect("a process without randomness must not serve"));
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    RequestId(Arc::from(format!("{process:08x}-{count:x}")))
}
