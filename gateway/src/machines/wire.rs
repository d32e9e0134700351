//! What the two sides say to each other: one call with its answer for each method of [`control::Machine`], as JSON.

use control::{
    Error, HomeSource,
    machine::{EnvironmentSpec, LogChunk, Secrets, Status, Work},
};
use serde::{Deserialize, Serialize};
use storage::{
    Hash,
    ids::{AttemptId, ProjectId, WorkspaceId},
    machines::Device,
    snapshot::Captured,
    workspaces::Input,
};

/// The version of all of this. A side that hears another one says so and hangs up.
pub const PROTOCOL: u32 = 4;
/// In the answer to the upgrade: which machine the token made this.
pub const MACHINE_HEADER: &str = "cairn-machine";
/// In the answer to the upgrade: after how many ms out of reach the server gives up what runs there.
pub const GRACE_HEADER: &str = "cairn-offline-grace-ms";

/// Where calls go.
pub(super) const CALL: &str = "/call";
/// Items in, those of them that the store lacks out.
pub(super) const LACKING: &str = "/content/lacking";
/// A manifest's digest in, the items it consists of out.
pub(super) const LIST: &str = "/content/list";
/// Frames in.
pub(super) const PUT: &str = "/content/put";
/// Items in, frames out.
pub(super) const GET: &str = "/content/get";

/// What a worker says of its machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The version of its program.
    pub version: String,
    /// What can be asked of it.
    pub labels: Vec<String>,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// Thousandths of a core that may be promised to runs.
    pub cpu_millicores: Option<i64>,
    /// Memory that may be promised to runs.
    pub memory_bytes: Option<i64>,
    /// How many jobs may run at the same time.
    pub slots: Option<i64>,
    /// Its devices.
    pub devices: Vec<Device>,
}

/// A call; the answer is the JSON of what the method of the same name returns.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    Hello,
    Environment(EnvironmentSpec),
    Build(EnvironmentSpec),
    BuildLog {
        spec: EnvironmentSpec,
        offset: u64,
        max_bytes: usize,
    },
    MakeHome {
        workspace: WorkspaceId,
        template: Option<Hash>,
    },
    HasHome(WorkspaceId),
    ShowInputs {
        workspace: WorkspaceId,
        inputs: Vec<Input>,
    },
    RemoveHome(WorkspaceId),
    RestoreHome {
        workspace: WorkspaceId,
        source: HomeSource,
    },
    /// Answers with [`storage::homes::Taken`]; its content is fetched then.
    SnapshotHome {
        workspace: WorkspaceId,
        project: ProjectId,
    },
    MeasureHome(WorkspaceId),
    /// Answers with [`Captured`]; its content is fetched then.
    Snapshot {
        workspace: WorkspaceId,
        project: ProjectId,
    },
    Prepare(Box<Work>),
    Start {
        work: Box<Work>,
        secrets: Secrets,
    },
    Runs,
    Status(String),
    Changed {
        run_id: String,
        seen: Status,
    },
    Stop {
        run_id: String,
        grace_ms: u64,
    },
    Remove(String),
    /// Answers with [`Chunk`].
    ReadLog {
        run_id: String,
        offset: u64,
        max_bytes: usize,
    },
    /// Answers whether there is one.
    Address(String),
    /// Answers with [`Left`]; its content is fetched then.
    Capture {
        attempt: AttemptId,
        project: ProjectId,
    },
}

/// Part of a log; its bytes need not be text.
#[derive(Serialize, Deserialize)]
pub(super) struct Chunk {
    offset: u64,
    next: u64,
    ended: bool,
    bytes: String,
}

impl From<LogChunk> for Chunk {
    fn from(chunk: LogChunk) -> Self {
        Self {
            offset: chunk.offset,
            next: chunk.next,
            ended: chunk.ended,
            bytes: hex::encode(chunk.bytes),
        }
    }
}

impl TryFrom<Chunk> for LogChunk {
    type Error = hex::FromHexError;

    fn try_from(chunk: Chunk) -> Result<Self, Self::Error> {
        Ok(Self {
            offset: chunk.offset,
            next: chunk.next,
            ended: chunk.ended,
            bytes: hex::decode(chunk.bytes)?,
        })
    }
}

/// What an attempt left, before its content has come.
#[derive(Serialize, Deserialize)]
pub(super) struct Left {
    pub(super) outputs: Captured,
    pub(super) log: Option<(Hash, u64)>,
    pub(super) report: Option<String>,
}

/// An error on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    NotFound,
    Conflict,
    Invalid,
    Unavailable,
    #[serde(other)]
    Internal,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let kind = match error {
            Error::NotFound(_) => Kind::NotFound,
            Error::Conflict(_) => Kind::Conflict,
            Error::Invalid(_) => Kind::Invalid,
            Error::Unavailable { .. } => Kind::Unavailable,
            _ => Kind::Internal,
        };
        // For the server's log, where the cause is worth as much as what it did.
        let cause = match (kind, std::error::Error::source(error)) {
            (Kind::Internal, Some(cause)) => format!(": {cause}"),
            _ => String::new(),
        };
        Self {
            kind,
            message: format!("{error}{cause}"),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message } = failure;
        match kind {
            Kind::NotFound => Self::NotFound(message),
            Kind::Conflict => Self::Conflict(message),
            Kind::Invalid => Self::Invalid(message),
            Kind::Unavailable => Self::Unavailable {
                message,
                source: None,
            },
            Kind::Internal => Self::Internal {
                message,
                source: None,
            },
        }
    }
}
