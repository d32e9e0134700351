//! What is known of a run: its handle, its phase and how it ended.

use serde::{Deserialize, Serialize};

/// Names a run; keep it in the database and give it to the same runtime, also after a restart or an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handle {
    /// The runtime that made it, such as `process`.
    pub runtime: String,
    /// The [`crate::Spec::id`] it was made for.
    pub id: String,
}

/// A run at one moment. JSON: `{"phase":"running","ready":true,"started_ms":…,"pid":…,"exit":null,"log_bytes":…,"oom_kills":0}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How far it is.
    pub phase: Phase,
    /// Whether its endpoint has answered; without an endpoint, whether the command has begun. Stays true after the exit.
    #[serde(default)]
    pub ready: bool,
    /// When its supervisor began, UTC.
    #[serde(default)]
    pub started_ms: i64,
    /// The process on this machine that holds the work, while there is one. For people to look at: it may be gone.
    #[serde(default)]
    pub pid: Option<u32>,
    /// How it ended; present exactly when `phase` is [`Phase::Exited`].
    #[serde(default)]
    pub exit: Option<Exit>,
    /// Length of the log file.
    #[serde(default)]
    pub log_bytes: u64,
    /// How many of its processes the kernel ended for lack of memory; a server may outlive some.
    #[serde(default)]
    pub oom_kills: u64,
}

/// How far a run is. Moves forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its supervisor prepares it, or its endpoint does not answer yet.
    Starting,
    /// It runs, and answers if it has an endpoint.
    Running,
    /// Nothing of it runs any more, and its log is complete.
    Exited,
}

/// How a run ended. Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit status of the command, if it ended by itself.
    #[serde(default)]
    pub code: Option<i32>,
    /// The signal that ended the command.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Why it ended.
    pub reason: Reason,
    /// Which step of the start failed, if `reason` is [`Reason::StartFailed`].
    #[serde(default)]
    pub failure: Option<Failure>,
    /// One or more plain sentences for the person who started it, at most 4 KiB.
    #[serde(default)]
    pub message: String,
    /// When it ended, UTC.
    pub ended_ms: i64,
}

impl Exit {
    /// Whether the command ended by itself with status 0.
    pub fn success(&self) -> bool {
        self.reason == Reason::Exited && self.code == Some(0)
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The command ended by itself, whatever its status.
    Exited,
    /// [`crate::Runtime::stop`] was called, or the machine shuts down.
    Stopped,
    /// The kernel ended the command for lack of memory.
    Oom,
    /// [`crate::Limits::time_limit_ms`] was over.
    TimeLimit,
    /// It never ran, or never answered: see [`Exit::failure`].
    StartFailed,
    /// Its supervisor is gone without a record: killed, or the machine was restarted.
    Lost,
    /// A reason that a newer version wrote.
    #[serde(other)]
    Unknown,
}

/// Which step of a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// `argv[0]` is no program that the work can see and execute.
    ProgramNotFound,
    /// The working folder does not exist for the work.
    FolderNotFound,
    /// A mount's source does not exist.
    MountMissing,
    /// The sandbox could not be made.
    SandboxFailed,
    /// The endpoint did not answer within its time.
    NeverListened,
    /// The machine refused: no process, no memory, no space.
    Refused,
    /// The container engine has no such image and cannot pull it.
    ImageMissing,
    /// The image is there but nothing can run in it, such as one for another architecture.
    ImageUnusable,
    /// The container engine could not be reached, or did not do what was asked.
    EngineFailed,
    /// A failure that a newer version wrote.
    #[serde(other)]
    Unknown,
}
