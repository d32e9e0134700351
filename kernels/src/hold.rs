//! What a run asks when a cell has failed and its kernel still lives. Knows nothing of who answers, or how.

use async_trait::async_trait;

use crate::run::At;

/// A run that waits, with its kernel and everything in it, for what to do about a cell that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// How often the run has been held, this time included.
    pub number: u32,
    /// The cell that failed.
    pub cell: At,
    /// The exception's name; `TimeLimitError` where the cell ran too long.
    pub ename: String,
    /// What happened, for people.
    pub message: String,
    /// How long the run waits.
    pub limit_ms: u64,
}

/// What is to become of a run that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on from the failed cell: with the sources of this notebook from there on, or with the cell as it was.
    Resume(Option<String>),
    /// End as if there had been no hold, because nobody can be asked; the text says why.
    GiveUp(String),
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    /// The run goes on.
    Resumed,
    /// Nobody answered in time.
    Expired,
    /// The run was asked to stop.
    Stopped,
    /// The kernel is gone.
    Died,
}

impl HoldEnd {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::Expired => "expired",
            Self::Stopped => "stopped",
            Self::Died => "died",
        }
    }
}

/// Whoever can be asked.
#[async_trait]
pub trait Hold: Send + Sync {
    /// Tells that the run is held, and returns once there is an answer, however long that takes.
    ///
    /// Called again, with why, when the notebook that was given could not be used. Dropped when the hold is over before.
    async fn ask(&self, held: &Held, refused: Option<&str>) -> Answer;

    /// Tells that the hold is over. The run waits a few seconds for this at most, then drops it.
    ///
    /// False only for [`HoldEnd::Expired`], where an answer came at the last moment: the run asks for it once more.
    async fn over(&self, held: &Held, end: HoldEnd) -> bool;

    /// Waits until whatever was told has come through. The run waits a few seconds for this at its end.
    async fn settled(&self) {}
}
