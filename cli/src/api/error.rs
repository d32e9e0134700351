//! What can go wrong between the command line and a server, in words for the person who typed the command.

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::home::key;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// No answer came.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why, from the connection up.
        reason: String,
        /// Is it certain that the request did not arrive?
        is_unsent: bool,
    },
    /// The server does not know who we are.
    #[error("{url} does not accept your sign-in ({message}): run `cairn login {url}`{}", numbered(.request_id.as_deref()))]
    SignedOut {
        /// The server.
        url: String,
        /// Its words.
        message: String,
        /// The number of the request in its log.
        request_id: Option<String>,
    },
    /// The server said no.
    #[error("{message}{}", numbered(.request_id.as_deref()))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The stable name of the error.
        code: String,
        /// The server's words.
        message: String,
        /// The number of the request in the server's log.
        request_id: Option<String>,
        /// How long to wait before trying again, where it said.
        retry_after_s: Option<u64>,
        /// The snapshot to go on from, where the newest files are out of reach.
        snapshot: Option<Snapshot>,
    },
    /// What answered is something else.
    #[error("what answers at {url} is not Cairn: is the address right?")]
    NotCairn {
        /// The server.
        url: String,
    },
}

/// The newest snapshot of a home whose machine cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// What `accept_snapshot` takes.
    pub(crate) id: String,
    /// How old it is.
    pub(crate) age_ms: i64,
    /// The machine that has what is newer.
    pub(crate) machine: String,
}

#[derive(Deserialize)]
struct Envelope {
    code: String,
    message: String,
    request_id: Option<String>,
    machine_name: Option<String>,
    snapshot_id: Option<String>,
    snapshot_age_ms: Option<i64>,
}

impl Envelope {
    fn snapshot(&self) -> Option<Snapshot> {
        Some(Snapshot {
            id: crate::output::clean(self.snapshot_id.as_deref()?),
            age_ms: self.snapshot_age_ms?,
            machine: crate::output::clean(self.machine_name.as_deref()?),
        })
    }
}

impl Error {
    /// The error for a connection that failed.
    pub(crate) fn unreachable(url: &Url, error: reqwest::Error) -> Self {
        let is_unsent = error.is_connect();
        // The outermost message only says that sending failed, and to which URL: the cause is further in.
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        Self::Unreachable {
            url: key(url),
            reason,
            is_unsent,
        }
    }

    /// The error for an answer that is no success.
    pub(crate) async fn of(url: &Url, response: Response) -> Self {
        let status = response.status();
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let retry_after_s = header("retry-after").and_then(|text| text.parse().ok());
        let header_id = header("x-request-id");
        if status.is_redirection() {
            return Self::NotCairn { url: key(url) };
        }
        let body = response.bytes().await.unwrap_or_default();
        let Ok(envelope) = serde_json::from_slice::<Envelope>(&body) else {
            let message = format!("{} answered {status}", key(url));
            return Self::Refused {
                status,
                code: "unknown".to_owned(),
                message,
                request_id: header_id,
                retry_after_s,
                snapshot: None,
            };
        };
        let (message, snapshot) = (crate::output::clean(&envelope.message), envelope.snapshot());
        let request_id = envelope.request_id.or(header_id);
        if status == StatusCode::UNAUTHORIZED {
            return Self::SignedOut {
                url: key(url),
                message,
                request_id,
            };
        }
        Self::Refused {
            status,
            code: envelope.code,
            message,
            request_id,
            retry_after_s,
            snapshot,
        }
    }

    /// The HTTP status, where an answer came.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::SignedOut { .. } => Some(StatusCode::UNAUTHORIZED),
            Self::Unreachable { .. } | Self::NotCairn { .. } => None,
        }
    }

    /// May the same call succeed a little later? `repeats` tells whether it is safe to send it although it may have arrived.
    pub(crate) fn is_passing(&self, repeats: bool) -> bool {
        match self {
            Self::Unreachable { is_unsent, .. } => repeats || *is_unsent,
            Self::Refused { status, .. } => match status.as_u16() {
                429 => true,
                502..=504 => repeats,
                _ => false,
            },
            Self::SignedOut { .. } | Self::NotCairn { .. } => false,
        }
    }
}

/// Is this failure one that a little time may mend?
pub(crate) fn is_passing(error: &anyhow::Error, repeats: bool) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(|error| error.is_passing(repeats))
}

/// The snapshot to go on from, where an error is about a home whose newest files are out of reach.
pub(crate) fn snapshot_of(error: &anyhow::Error) -> Option<&Snapshot> {
    match error.downcast_ref::<Error>()? {
        Error::Refused { snapshot, .. } => snapshot.as_ref(),
        _ => None,
    }
}

/// The HTTP status within an error, where there is one.
pub(crate) fn status_of(error: &anyhow::Error) -> Option<StatusCode> {
    error.downcast_ref::<Error>().and_then(Error::status)
}

fn numbered(id: Option<&str>) -> String {
    id.map(|id| format!(" (request {})", crate::output::clean(id)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        Error::Refused {
            status,
            code: "x".into(),
            message: "No.".into(),
            request_id: Some("r-1".into()),
            retry_after_s: None,
            snapshot: None,
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(refused(503).is_passing(true) && refused(429).is_passing(false));
        assert!(
            !refused(503).is_passing(false)
                && !refused(500).is_passing(true)
                && !refused(404).is_passing(true)
        );
        let lost = |is_unsent| Error::Unreachable {
            url: "u".into(),
            reason: "r".into(),
            is_unsent,
        };
        assert!(
            lost(true).is_passing(false)
                && lost(false).is_passing(true)
                && !lost(false).is_passing(false)
        );
    }

    #[test]
    fn the_request_can_be_found_in_the_servers_log() {
        assert_eq!(refused(404).to_string(), "No. (request r-1)");
    }
}
