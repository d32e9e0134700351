//! The one error envelope: `{"code","message","request_id"}`. Maps errors of the crates below to statuses, in one place.
//! The text of a 5xx stays in the log; it is logged once, here, where the envelope is written.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// The longest message that an envelope carries, in characters.
const MESSAGE_CHARS: usize = 500;

/// An error as a client sees it.
#[derive(Clone)]
pub struct ApiError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    retry_after_s: Option<u64>,
    headers: HeaderMap,
    home: HomeDetails,
}

/// What a client needs to agree to go on from a snapshot of a home: with the code `home_unreachable`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HomeDetails {
    /// The machine that has the newest files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_name: Option<String>,
    /// The newest snapshot of the home; missing where none was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
    /// How old that snapshot is, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_age_ms: Option<i64>,
}

/// The body of every error. With the code `home_unreachable` it also has `machine_name`, `snapshot_id` and `snapshot_age_ms`: to go on from
/// that snapshot, send the request again with it as `accept_snapshot`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Envelope {
    /// A stable word for programs, such as `not_found`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Names this request in the server's log.
    pub request_id: String,
    /// With some codes there is more; a description cannot say with which.
    #[serde(flatten)]
    #[schema(ignore)]
    pub home: HomeDetails,
}

impl ApiError {
    /// An error of any status below 500 with its own code.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            source: None,
            retry_after_s: None,
            headers: HeaderMap::new(),
            home: HomeDetails::default(),
        }))
    }

    /// 400: the request makes no sense as it stands.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// 401: no credentials, or none that hold.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Sign in, or send a valid token.",
        )
        .with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"cairn\""),
        )
    }

    /// 403: the existence of the thing is no secret, but this caller may not do this to it.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404: it does not exist, or the caller may not know that it does.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("There is no such {what}."),
        )
    }

    /// 409: the state of the thing does not allow this now.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 429: too many attempts; the client may try again after `retry_after_s` seconds.
    pub fn too_many(message: &'static str, retry_after_s: u64) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        error.0.retry_after_s = Some(retry_after_s);
        error
    }

    /// 503: the same request may succeed a little later. `source` goes to the log only.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service cannot answer at the moment. Try again.",
        );
        error.0.retry_after_s = Some(1);
        error.0.source = Some(Arc::from(source.into()));
        error
    }

    /// 500: our own fault. `source` goes to the log only.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. The request id names it in the server's log.",
        );
        error.0.source = Some(Arc::from(source.into()));
        error
    }

    /// The same error with one more response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its stable word.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Its sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Writes it to the log if it is our fault. Called once, where the error is answered.
    pub(crate) fn log(&self, request_id: &str) {
        if !self.0.status.is_server_error() {
            return;
        }
        let cause = self.0.source.as_deref().map(chain).unwrap_or_default();
        let cause = text::bounded(&cause, 2000);
        if self.0.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request.id = request_id, error = %cause, "request failed");
        } else {
            tracing::warn!(request.id = request_id, error = %cause, "request could not be served");
        }
    }
}

impl From<storage::Error> for ApiError {
    fn from(error: storage::Error) -> Self {
        use storage::Error as E;
        match error {
            E::NotFound(text) => Self::new(StatusCode::NOT_FOUND, "not_found", sentence(&text)),
            E::Conflict(text) => Self::conflict(sentence(&text)),
            E::Invalid(text) => Self::invalid(sentence(&text)),
            E::Unavailable { .. } => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}

impl From<control::Error> for ApiError {
    fn from(error: control::Error) -> Self {
        use control::Error as E;
        match error {
            E::NotFound(text) => Self::new(StatusCode::NOT_FOUND, "not_found", sentence(&text)),
            E::Conflict(text) => Self::conflict(sentence(&text)),
            E::Invalid(text) => Self::invalid(sentence(&text)),
            E::Unavailable { .. } => Self::unavailable(error),
            E::HomeFull { .. } => Self::new(
                StatusCode::CONFLICT,
                "home_full",
                sentence(&error.to_string()),
            ),
            E::HomeUnreachable {
                ref machine,
                snapshot_id,
                snapshot_age_ms,
            } => {
                let message = sentence(&error.to_string());
                let mut told = Self::new(StatusCode::CONFLICT, "home_unreachable", message);
                told.0.home = HomeDetails {
                    machine_name: Some(machine.clone()),
                    snapshot_id: snapshot_id.map(|id| id.to_string()),
                    snapshot_age_ms,
                };
                told
            }
            _ => Self::internal(error),
        }
    }
}

/// A text of the crates below as a sentence.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    let rest = characters.as_str().trim_end_matches('.');
    format!("{}{rest}.", first.unwrap_or_default())
}

/// The error and its causes in one line.
fn chain(error: &(dyn StdError + Send + Sync)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status, self.0.code, self.0.message)
    }
}

impl IntoResponse for ApiError {
    /// A bare response that carries the error; [`write_envelope`] writes the body, because it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The id of the request, as an extension and as the header `x-request-id` of the response.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self(Arc::from(""))))
    }
}

/// Gives `response` the body of the error it carries, if it carries one.
pub fn write_envelope(mut response: Response, request_id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    error.log(request_id);
    let body = Json(Envelope {
        code: error.0.code.to_owned(),
        message: text::bounded(&error.0.message, MESSAGE_CHARS).into_owned(),
        request_id: request_id.to_owned(),
        home: error.0.home.clone(),
    });
    let mut rendered = (error.0.status, body).into_response();
    let headers = rendered.headers_mut();
    headers.extend(error.0.headers.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.0.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn body(response: Response) -> serde_json::Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn the_text_of_our_own_faults_stays_inside() {
        let error = ApiError::internal("disk /dev/sda is on fire");
        let response = write_envelope(error.into_response(), "r1");
        assert_eq!(response.status(), 500);
        let body = body(response).await;
        assert_eq!(body["request_id"], "r1");
        assert!(!body.to_string().contains("fire"));
    }

    #[tokio::test]
    async fn a_message_is_bounded_and_its_controls_are_escaped() {
        let error = ApiError::invalid("x\r\n\u{1b}[31m".repeat(1000));
        let body = body(write_envelope(error.into_response(), "r2")).await;
        let message = body["message"].as_str().unwrap();
        assert!(message.chars().count() <= MESSAGE_CHARS + 1);
        assert!(!message.contains(['\r', '\n', '\u{1b}']));
    }
}
