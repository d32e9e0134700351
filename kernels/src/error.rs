//! The crate's error: what keeps a notebook run from giving an [`Outcome`](crate::Outcome).

use std::io;
use std::path::PathBuf;

/// Why a notebook could not be run to an outcome.
///
/// A cell that raises, a kernel that dies while a cell runs, a time limit and a stop are outcomes, not errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The notebook, a parameter or an argument is not usable; trying again gives the same answer.
    #[error("{0}")]
    Invalid(String),
    /// Something named does not exist: the notebook file or a kernel.
    #[error("{0}")]
    NotFound(String),
    /// The kernel did not start or did not answer in time.
    #[error("{0}")]
    Unavailable(String),
    /// The executed notebook could not be written.
    #[error("the executed notebook {path} could not be saved")]
    Save {
        /// Where it should have gone.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The runner itself failed.
    #[error("{message}")]
    Internal {
        /// What was being done.
        message: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Tells whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Save { .. } => true,
            Self::Invalid(_) | Self::NotFound(_) | Self::Internal { .. } => false,
        }
    }

    /// The exit status of `cairn execute` for this error: 2 bad input, 3 no kernel, 4 anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::NotFound(_) => 2,
            Self::Unavailable(_) => 3,
            Self::Save { .. } | Self::Internal { .. } => 4,
        }
    }

    pub(crate) fn internal(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal {
            message: message.into(),
            source: source.into(),
        }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
