//! The crate's one error type.

use std::io;

/// Why a call to this crate failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No run or environment of that name exists.
    #[error("{0} was not found")]
    NotFound(String),
    /// What is there now does not allow it, such as removing what still runs.
    #[error("{0}")]
    Conflict(String),
    /// The request can never work: say so to whoever made it.
    #[error("{0}")]
    Invalid(String),
    /// It may work later.
    #[error("{message}")]
    Unavailable {
        /// What could not be reached, in plain words.
        message: String,
        /// What the system said.
        #[source]
        source: Option<io::Error>,
    },
    /// Software for an environment could not be installed; its log has the rest.
    #[error("environment {name} could not be built: {message}")]
    Build {
        /// The environment's name.
        name: String,
        /// The last lines that the installer printed.
        message: String,
    },
    /// Something this crate did not expect.
    #[error("{message}")]
    Internal {
        /// What was being done.
        message: String,
        /// What the system said.
        #[source]
        source: Option<io::Error>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anyone changing it.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Invalid(_)
            | Self::Build { .. }
            | Self::Internal { .. } => false,
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>, source: io::Error) -> Self {
        Self::Unavailable {
            message: message.into(),
            source: Some(source),
        }
    }

    pub(crate) fn internal(message: impl Into<String>, source: io::Error) -> Self {
        Self::Internal {
            message: message.into(),
            source: Some(source),
        }
    }
}

/// Says what was being done when the system answered with an error.
pub(crate) trait Context<T> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::internal(message(), source.into()))
    }
}
