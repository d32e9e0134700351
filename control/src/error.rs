//! What control can fail with. Each variant says what the caller can do about it; texts are for the person who asked.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The thing named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The request goes against the present state (a name is taken, a job has ended).
    #[error("{0}")]
    Conflict(String),
    /// The request itself is wrong; the text says what, where and what to do.
    #[error("{0}")]
    Invalid(String),
    /// A part that is needed cannot be reached now; the same request may work later.
    #[error("{0}")]
    Unavailable(String),
    /// Something of ours broke; the text is for the log only.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// True where the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::NotFound(_) | Self::Conflict(_) | Self::Invalid(_) | Self::Internal(_) => false,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;
