//! The seam to a host: everything that control does with a machine's files and runs, and the contract it keeps.

mod address;
mod local;
mod registry;
mod work;

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use storage::{
    Hash, homes,
    ids::{AttemptId, MachineId, ProjectId, WorkspaceId},
    objects::Stored,
    outputs, snapshot,
    workspaces::Input,
};

use crate::Result;

pub use spawner::{EnvironmentSpec, LogChunk, Status};

pub use address::{Address, Dial, Remote, Stream};
pub use local::{Host, LocalMachine};
pub(crate) use local::{Provided, home_index, remove_tree};
pub use registry::Machines;
pub use work::{AttemptWork, Secrets, Task, Work};

/// A host that runs servers and attempts: the one that this program is on, or one that a worker connects.
///
/// * **Names, not paths.** Where things lie is the machine's own business. Control names homes by workspace, attempts and runs by their
///   ids, and content by the digest of its manifest; what a machine lacks of a manifest it gets from the store by itself, and what it
///   captures is in the store, durable, when it says so.
/// * **Runs** keep the contract of [`spawner::Runtime`]: they go on when the caller, the connection or this program ends, a start with the
///   same id starts nothing twice, there is one exit that never changes, and unknown runs are no error but for
///   [`changed`](Self::changed) and [`read_log`](Self::read_log).
/// * **Safe to repeat.** Every call may be made again after a crash at any point of it, and finds what the first one did.
/// * **Cancellation.** Dropping a future undoes nothing. What was begun goes on, and is found by the next call.
///
/// # Errors
/// `Unavailable` where the machine cannot be reached now, or is short of something: the same call may work later. Other errors are what
/// the machine itself answered, and stay.
#[async_trait]
pub trait Machine: Send + Sync {
    /// Names the machine for ever.
    fn id(&self) -> MachineId;

    /// How far an environment is on this machine, without building it.
    async fn environment(&self, spec: &EnvironmentSpec) -> Result<Built>;

    /// Builds an environment unless it is there. Concurrent calls share one build; its log can be read meanwhile.
    async fn build(&self, spec: &EnvironmentSpec) -> Result<()>;

    /// The log of the last build from byte `offset`, at most `max_bytes` of it; empty where there is no more, or no build yet.
    async fn build_log(
        &self,
        spec: &EnvironmentSpec,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Vec<u8>>;

    /// Makes a workspace's home where there is none yet; its project folder then holds the files of `template`. Whole or not at all.
    async fn make_home(&self, workspace: WorkspaceId, template: Option<Hash>) -> Result<()>;

    /// Whether there is a workspace's home here.
    async fn has_home(&self, workspace: WorkspaceId) -> Result<bool>;

    /// Removes a workspace's home with all that is in it. Fine where there is none. Nothing of the workspace may run.
    async fn remove_home(&self, workspace: WorkspaceId) -> Result<()>;

    /// Makes a workspace's home as a snapshot has it, whole or not at all, sharing what an older copy there has.
    ///
    /// Nothing of the workspace may run here.
    async fn restore_home(&self, workspace: WorkspaceId, source: &HomeSource) -> Result<()>;

    /// Captures a workspace's whole home as it is now; it may be in use.
    ///
    /// # Errors
    /// `NotFound` where the workspace has no home here.
    async fn snapshot_home(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<homes::Pending>;

    /// Measures what a workspace's home takes; nothing where there is none.
    async fn measure_home(&self, workspace: WorkspaceId) -> Result<homes::Usage>;

    /// Captures a workspace's project folder as it is now.
    ///
    /// # Errors
    /// `Conflict` where the workspace has no home here.
    async fn snapshot(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<snapshot::Pending>;

    /// Makes everything that a run needs: its environment, its inputs, an attempt's folders. A server's home must be there already.
    async fn prepare(&self, work: &Work) -> Result<()>;

    /// Prepares what is not prepared yet, starts the run, and returns how it is. Does not wait for the command to begin or answer.
    async fn start(&self, work: &Work, secrets: &Secrets) -> Result<Status>;

    /// Makes `inputs` what a workspace's running server sees: others go, new ones appear. What the server started with stays until its next
    /// start; nothing happens where there is no such server. Where one fails the others are shown all the same.
    async fn show_inputs(&self, workspace: WorkspaceId, inputs: &[Input]) -> Result<()>;

    /// Every run that this machine holds anything of: a process, a log or a folder; in no order.
    async fn runs(&self) -> Result<Vec<String>>;

    /// A run now; none where this machine knows nothing of it.
    async fn status(&self, run_id: &str) -> Result<Option<Status>>;

    /// Waits until a run's status differs from `seen`, then returns it; at once where it has exited.
    async fn changed(&self, run_id: &str, seen: &Status) -> Result<Status>;

    /// Ends a run, kindly for as long as `grace`. Returns once nothing of it runs.
    async fn stop(&self, run_id: &str, grace: Duration) -> Result<()>;

    /// Forgets a run that has exited, and removes what the machine holds for it but a home.
    async fn remove(&self, run_id: &str) -> Result<()>;

    /// Reads whole records of a run's log from byte `offset`, about `max_bytes` of them. Never waits.
    async fn read_log(&self, run_id: &str, offset: u64, max_bytes: usize) -> Result<LogChunk>;

    /// Where a run's server can be reached; none where it has none, or does not answer yet.
    async fn address(&self, run_id: &str) -> Result<Option<Address>>;

    /// Takes away what the machine shows and no run sees any more. For when little else goes on; a machine elsewhere does so by itself.
    async fn tidy(&self) -> Result<()> {
        Ok(())
    }

    /// The manifests that runs see on this program's own host; none where that is not known. A machine elsewhere has a store of its own.
    async fn seen(&self) -> Result<Option<HashSet<Hash>>> {
        Ok(None)
    }

    /// Captures what an attempt that has exited left.
    async fn capture(&self, attempt: AttemptId, project: ProjectId) -> Result<Left>;
}

/// An environment on a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Built {
    /// What names its content there.
    pub digest: String,
    /// How far it is.
    pub state: spawner::environments::State,
}

/// Which home to restore, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HomeSource {
    /// The project that the workspace belongs to.
    pub project_id: ProjectId,
    /// Its content.
    pub manifest_digest: Hash,
    /// Its tree, as an object.
    pub attributes_hash: Hash,
    /// Which uid of the machine's range it belongs to.
    pub uid_slot: Option<u32>,
    /// What lies there already is in no snapshot: it is kept in the new home, in a folder of this name.
    pub keep_aside: Option<String>,
}

/// What an attempt left.
#[derive(Debug)]
pub struct Left {
    /// Its outputs, in the store and not yet recorded.
    pub outputs: outputs::Pending,
    /// Its log, in the store; none where it never ran.
    pub log: Option<Stored>,
    /// What a notebook run said of its own end, as it said it: not to be trusted.
    pub report: Option<String>,
}
