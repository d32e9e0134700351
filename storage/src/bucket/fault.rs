//! What a bucket's answers mean, in the crate's own errors.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::Error;

/// How a request failed, as far as it matters to what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such key, or no such bucket.
    Absent,
    /// It is not what it was: another `ETag`.
    Changed,
    /// The server does not know, or does not do, what was asked.
    Unable,
    /// The credentials do not allow it.
    Denied,
    /// The request can never succeed as it stands.
    Refused,
    /// Later it may succeed.
    Later,
}

pub(super) fn kind<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Kind {
    let code = error.as_service_error().and_then(|error| error.code());
    match code {
        Some("NoSuchKey" | "NoSuchVersion" | "NotFound" | "NoSuchUpload") => return Kind::Absent,
        // Nothing is said of the keys in it.
        Some("NoSuchBucket") => return Kind::Denied,
        Some("PreconditionFailed") => return Kind::Changed,
        Some("NotImplemented") => return Kind::Unable,
        // The clocks differ, or the credentials are of yesterday: an operator puts that right, and the same call succeeds.
        Some("RequestTimeTooSkewed" | "ExpiredToken" | "RequestTimeout") => return Kind::Later,
        _ => {}
    }
    match error.raw_response().map(|raw| raw.status().as_u16()) {
        Some(404) => Kind::Absent,
        Some(412) => Kind::Changed,
        Some(501 | 405) => Kind::Unable,
        Some(401 | 403) => Kind::Denied,
        Some(300..=399 | 400..=407 | 409..=428) => Kind::Refused,
        _ => Kind::Later,
    }
}

/// The error to hand on: that a request failed never says that what is stored is lost. Its text holds no credentials and no signed URL.
pub(super) fn told<E>(what: impl std::fmt::Display, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(|error| error.code());
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    let said = match (code, status) {
        (Some(code), Some(status)) => format!(": the server said {code} ({status})"),
        (None, Some(status)) => format!(": the server said {status}"),
        _ => ": the server does not answer".to_owned(),
    };
    Error::unavailable(format!("{what}{said}"), error)
}
