//! A machine on the other end of a connection, behind the same seam as this one.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use control::{
    Address, Error, HomeSource, Machine, Result,
    machine::{
        Built, Dial, EnvironmentSpec, Left, LogChunk, Remote, Secrets, Status, Stream, Task, Work,
    },
};
use storage::{
    Hash, Store, homes,
    ids::{AttemptId, MachineId, ProjectId, WorkspaceId},
    snapshot,
    transfer::Item,
    workspaces::Input,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    link::Link,
    mux::Mux,
    wire::{self, Call},
};

/// The stream to a run's server.
pub(super) const DIAL: u8 = b'D';
/// It is connected.
pub(super) const OPEN: u8 = b'K';
/// How long a worker may take to connect to a server beside it.
const CONNECT: Duration = Duration::from_secs(10);

/// A machine whose worker is connected.
pub(super) struct RemoteMachine {
    id: MachineId,
    pub(super) link: Arc<Link>,
}

impl RemoteMachine {
    pub(super) fn new(id: MachineId, mux: Mux, store: Store) -> Self {
        Self {
            id,
            link: Arc::new(Link::new(mux, store)),
        }
    }

    /// Sees to it that the machine has what the work reads.
    async fn give(&self, work: &Work) -> Result<()> {
        for input in &work.inputs {
            self.link.give(input.manifest_digest.parse()?).await?;
        }
        match &work.task {
            Task::Attempt(attempt) => self.link.give(attempt.repository).await,
            Task::Server { .. } => Ok(()),
        }
    }
}

#[async_trait]
impl Machine for RemoteMachine {
    fn id(&self) -> MachineId {
        self.id
    }

    async fn environment(&self, spec: &EnvironmentSpec) -> Result<Built> {
        self.link.call(&Call::Environment(spec.clone())).await
    }

    async fn build(&self, spec: &EnvironmentSpec) -> Result<()> {
        self.link.call(&Call::Build(spec.clone())).await
    }

    async fn build_log(
        &self,
        spec: &EnvironmentSpec,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Vec<u8>> {
        let call = Call::BuildLog {
            spec: spec.clone(),
            offset,
            max_bytes,
        };
        self.link.call(&call).await
    }

    async fn make_home(&self, workspace: WorkspaceId, template: Option<Hash>) -> Result<()> {
        if let Some(template) = template {
            self.link.give(template).await?;
        }
        let call = Call::MakeHome {
            workspace,
            template,
        };
        self.link.call(&call).await
    }

    async fn has_home(&self, workspace: WorkspaceId) -> Result<bool> {
        self.link.call(&Call::HasHome(workspace)).await
    }

    async fn show_inputs(&self, workspace: WorkspaceId, inputs: &[Input]) -> Result<()> {
        let mut outcome = Ok(());
        for input in inputs {
            // What the worker then lacks it refuses by itself, and shows the others.
            let given = match input.manifest_digest.parse() {
                Ok(digest) => self.link.give(digest).await,
                Err(error) => Err(Error::from(error)),
            };
            outcome = outcome.and(given);
        }
        let inputs = inputs.to_vec();
        let call = Call::ShowInputs { workspace, inputs };
        outcome.and(self.link.call(&call).await)
    }

    async fn remove_home(&self, workspace: WorkspaceId) -> Result<()> {
        self.link.call(&Call::RemoveHome(workspace)).await
    }

    async fn restore_home(&self, workspace: WorkspaceId, source: &HomeSource) -> Result<()> {
        let (manifest, attributes) = (source.manifest_digest, source.attributes_hash);
        self.link.give_home(manifest, attributes).await?;
        let source = source.clone();
        let call = Call::RestoreHome { workspace, source };
        self.link.call(&call).await
    }

    async fn snapshot_home(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<homes::Pending> {
        let call = Call::SnapshotHome { workspace, project };
        let taken = self.link.call(&call).await?;
        self.link.bring_home(project, taken).await
    }

    async fn measure_home(&self, workspace: WorkspaceId) -> Result<homes::Usage> {
        self.link.call(&Call::MeasureHome(workspace)).await
    }

    async fn snapshot(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<snapshot::Pending> {
        let call = Call::Snapshot { workspace, project };
        let captured = self.link.call(&call).await?;
        self.link.bring(project, captured).await
    }

    async fn prepare(&self, work: &Work) -> Result<()> {
        self.give(work).await?;
        self.link.call(&Call::Prepare(Box::new(work.clone()))).await
    }

    async fn start(&self, work: &Work, secrets: &Secrets) -> Result<Status> {
        self.give(work).await?;
        let call = Call::Start {
            work: Box::new(work.clone()),
            secrets: secrets.clone(),
        };
        self.link.call(&call).await
    }

    async fn runs(&self) -> Result<Vec<String>> {
        self.link.call(&Call::Runs).await
    }

    async fn status(&self, run_id: &str) -> Result<Option<Status>> {
        self.link.call(&Call::Status(run_id.to_owned())).await
    }

    async fn changed(&self, run_id: &str, seen: &Status) -> Result<Status> {
        let call = Call::Changed {
            run_id: run_id.to_owned(),
            seen: seen.clone(),
        };
        self.link.call(&call).await
    }

    async fn stop(&self, run_id: &str, grace: Duration) -> Result<()> {
        let call = Call::Stop {
            run_id: run_id.to_owned(),
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
        };
        self.link.call(&call).await
    }

    async fn remove(&self, run_id: &str) -> Result<()> {
        self.link.call(&Call::Remove(run_id.to_owned())).await
    }

    async fn read_log(&self, run_id: &str, offset: u64, max_bytes: usize) -> Result<LogChunk> {
        let call = Call::ReadLog {
            run_id: run_id.to_owned(),
            offset,
            max_bytes,
        };
        let chunk: wire::Chunk = self.link.call(&call).await?;
        chunk.try_into().map_err(|error| Error::Internal {
            message: "a machine's log is not what it should be".to_owned(),
            source: Some(Box::new(error)),
        })
    }

    async fn address(&self, run_id: &str) -> Result<Option<Address>> {
        let there: bool = self.link.call(&Call::Address(run_id.to_owned())).await?;
        let dial: Arc<dyn Dial> = Arc::new(Dialler(self.link.mux.clone()));
        Ok(there.then(|| Address::Remote(Remote::new(self.id, run_id, dial))))
    }

    async fn capture(&self, attempt: AttemptId, project: ProjectId) -> Result<Left> {
        let call = Call::Capture { attempt, project };
        let left: wire::Left = self.link.call(&call).await?;
        let log = match left.log {
            Some((hash, size)) => {
                let came = self.link.fetch(&[Item::object(hash)]).await?;
                let lost = || Error::Conflict(format!("a log of {size} bytes did not come"));
                Some(came.object(hash, size).ok_or_else(lost)?)
            }
            None => None,
        };
        Ok(Left {
            outputs: self.link.bring(project, left.outputs).await?,
            log,
            report: left.report,
        })
    }
}

/// Connects to servers on the machine.
struct Dialler(Mux);

#[async_trait]
impl Dial for Dialler {
    async fn dial(&self, run_id: &str) -> io::Result<Box<dyn Stream>> {
        let connect = async {
            let mut stream = self.0.open(DIAL).await?;
            stream.write_all(format!("{run_id}\n").as_bytes()).await?;
            match stream.read_u8().await? {
                OPEN => Ok(stream),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            }
        };
        let stream = timeout(CONNECT, connect)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Box::new(stream))
    }
}
