//! The one error of this crate: what went wrong, told by what a caller can do about it.

use std::error::Error as StdError;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync>;

/// Why storage refused or failed.
///
/// The text of `NotFound`, `Conflict` and `Invalid` is for people and may leave the process; that of `Unavailable` and `Internal` is for logs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the write refers to does not exist. Lookups answer `None` instead.
    #[error("{0}")]
    NotFound(String),
    /// It clashes with what is stored: a name in use, a second live attempt, an old fencing number.
    #[error("{0}")]
    Conflict(String),
    /// The request can never succeed as it stands.
    #[error("{0}")]
    Invalid(String),
    /// The database or the disk cannot answer now; the same call may succeed later.
    #[error("{message}")]
    Unavailable {
        /// What was tried.
        message: String,
        /// What went wrong.
        #[source]
        source: Option<Source>,
    },
    /// A fault of the program or of the stored data.
    #[error("{message}")]
    Internal {
        /// What was tried.
        message: String,
        /// What went wrong.
        #[source]
        source: Option<Source>,
    },
}

impl Error {
    /// Makes a `NotFound`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// Makes a `Conflict`.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    /// Makes an `Invalid`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// Makes an `Unavailable` from its cause.
    pub fn unavailable(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unavailable {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Makes an `Internal` from its cause.
    pub fn internal(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Internal {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Makes an `Internal` that has no cause but itself.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::Internal {
            message: message.into(),
            source: None,
        }
    }

    /// Whether the same call may succeed when it is made again.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound(_) | Self::Conflict(_) | Self::Invalid(_) | Self::Internal { .. } => {
                false
            }
        }
    }
}
