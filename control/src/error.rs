//! What control can fail with. Each variant says what the caller can do about it; texts are for the person who asked.

use std::error::Error as StdError;

type Source = Box<dyn StdError + Send + Sync + 'static>;

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
    /// The home's newest files lie on a machine that cannot be reached; a start goes on without them only where somebody says so.
    #[error("the newest files are on the machine {machine}, which cannot be reached now")]
    HomeUnreachable {
        /// The machine's name.
        machine: String,
        /// The newest snapshot; none was taken yet where it is missing.
        snapshot_id: Option<storage::ids::HomeSnapshotId>,
        /// How old that snapshot is.
        snapshot_age_ms: Option<i64>,
    },
    /// The home is larger than it may be.
    #[error("the home takes {} MB and may take {} MB: remove something first", bytes / 1_000_000, quota / 1_000_000)]
    HomeFull {
        /// What it takes.
        bytes: i64,
        /// What it may take.
        quota: u64,
    },
    /// The request itself is wrong; the text says what, where and what to do.
    #[error("{0}")]
    Invalid(String),
    /// A part that is needed cannot be reached now; the same request may work later.
    #[error("{message}")]
    Unavailable {
        /// What could not be reached, for the person who asked.
        message: String,
        /// Why.
        #[source]
        source: Option<Source>,
    },
    /// Something of ours broke; the text is for the log only.
    #[error("{message}")]
    Internal {
        /// What broke.
        message: String,
        /// Why.
        #[source]
        source: Option<Source>,
    },
}

impl Error {
    /// True where the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound(_)
            | Self::Conflict(_)
            | Self::HomeUnreachable { .. }
            | Self::HomeFull { .. }
            | Self::Invalid(_)
            | Self::Internal { .. } => false,
        }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn internal(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Internal {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        use storage::Error as Storage;
        match error {
            Storage::NotFound(text) => Self::NotFound(text),
            Storage::Conflict(text) => Self::Conflict(text),
            Storage::Invalid(text) => Self::Invalid(text),
            Storage::Unavailable { .. } => Self::Unavailable {
                message: "storage cannot be reached; try again".to_owned(),
                source: Some(error.into()),
            },
            _ => Self::internal("storage failed", error),
        }
    }
}

impl From<spawner::Error> for Error {
    fn from(error: spawner::Error) -> Self {
        use spawner::Error as Spawner;
        match error {
            Spawner::NotFound(_) => Self::NotFound(error.to_string()),
            Spawner::Conflict(text) => Self::Conflict(text),
            Spawner::Invalid(text) => Self::Invalid(text),
            Spawner::Unavailable { ref message, .. } => Self::Unavailable {
                message: message.clone(),
                source: Some(error.into()),
            },
            Spawner::Build { .. } => Self::Conflict(error.to_string()),
            _ => Self::internal("the spawner failed", error),
        }
    }
}
