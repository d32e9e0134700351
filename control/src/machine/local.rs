//! The machine that this program is on: storage and the spawner behind the seam.

mod attempt;
mod home;
mod inputs;
mod provided;
mod reach;
mod shelf;
mod uses;

use std::{collections::HashSet, path::PathBuf, str::FromStr as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use spawner::{EnvironmentSpec, Environments, Handle, LogChunk, Runtime, Secret, Spec, Status};
use storage::{
    Hash, homes,
    ids::{AttemptId, MachineId, ProjectId, WorkspaceId},
    materialise::Link,
    mount::Mounts,
    objects::Store,
    snapshot,
    workspaces::Input,
};

use super::{Address, Built, HomeSource, Left, Machine, Secrets, Task, Work};
use crate::{
    Error, Layout, Result,
    jobs::process,
    locks::Locks,
    workspaces::{of_run, server},
};

pub(crate) use home::{index as home_index, remove_tree};
use inputs::Shown;
pub(crate) use provided::Provided;
use shelf::Shelf;
use uses::Uses;

/// What a machine consists of.
pub struct Host {
    /// Names it for ever.
    pub id: MachineId,
    /// Objects: control's own, or a cache of them.
    pub store: Store,
    /// What shows manifests of that store as folders.
    pub mounts: Mounts,
    /// The socket of the engine that runs containers here, if there is one.
    pub engine: Option<PathBuf>,
    /// What starts servers and attempts.
    pub runtime: Arc<dyn Runtime>,
    /// What builds environments.
    pub environments: Environments,
    /// Where things lie.
    pub layout: Layout,
    /// Where work on this machine reaches the API; where [`Work::api_url`] says, if this machine knows no other way.
    pub api_url: Option<String>,
    /// Whether work sees inputs through read-only mounts, so that they may share the store's files.
    pub isolated: bool,
    /// Whether all work here runs in containers, also what asks for no runtime.
    pub contained: bool,
}

/// This host as a machine.
pub struct LocalMachine(Host, HomeLocks, Starts);

/// Held for reading while a run is being started: what it is going to see is not taken away.
type Starts = tokio::sync::RwLock<()>;

/// Who replaces a home, who starts a server over it and who changes what that sees wait for each other.
type HomeLocks = Locks<WorkspaceId>;

impl LocalMachine {
    /// Puts it together; starts nothing.
    pub fn new(host: Host) -> Self {
        Self(host, HomeLocks::default(), Starts::default())
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The handle of a run; ids are unique for ever, so it needs no look-up.
    fn handle(&self, run_id: &str) -> Handle {
        Handle {
            runtime: self.0.runtime.name().to_owned(),
            id: run_id.to_owned(),
        }
    }

    fn shelf(&self, workspace: WorkspaceId) -> Shelf {
        Shelf::of(self.layout(), workspace)
    }

    /// The folder in which a server that does not run yet will find its inputs.
    async fn lay_out(
        &self,
        workspace: WorkspaceId,
        work: &Work,
        mounts: &[(String, PathBuf)],
    ) -> Result<()> {
        let inputs = self.shelf(workspace);
        if self.0.isolated {
            return inputs.lay_out(&work.inputs, mounts).await;
        }
        inputs.lay_out(&[], &[]).await?;
        inputs.show(&self.0.store, &work.inputs, self.link()).await
    }

    fn link(&self) -> Link {
        if self.0.isolated {
            Link::Hard
        } else {
            Link::Copy
        }
    }

    /// The folder of each input, and where the work finds it. A server that is not isolated finds them on its shelf alone.
    async fn inputs(&self, work: &Work) -> Result<Vec<(String, PathBuf)>> {
        if matches!(work.task, Task::Server { .. }) && !self.0.isolated {
            return Ok(Vec::new());
        }
        let in_container = self.software(&work.environment).image.is_some();
        let sees_mounts = match &self.0.engine {
            _ if !in_container => true,
            Some(engine) => spawner::docker::sees_mounts(engine).await,
            None => false,
        };
        let shown = Shown {
            mounts: &self.0.mounts,
            sees_mounts,
            link: self.link(),
        };
        inputs::mount(&shown, &work.inputs).await
    }

    /// The environment as this machine builds it.
    fn software(&self, spec: &EnvironmentSpec) -> EnvironmentSpec {
        let mut spec = spec.clone();
        spec.contained |= self.0.contained;
        self.0.environments.resolved(&spec)
    }

    /// Makes what the work needs, and describes it to the spawner. Nothing of its inputs is taken away meanwhile.
    async fn spec(&self, work: &Work) -> Result<(Spec, Vec<(String, PathBuf)>)> {
        let mut wanted = self.software(&work.environment);
        if let Task::Attempt(attempt) = &work.task {
            let folder = self.layout().attempt(&attempt.id);
            attempt::lay_out(&self.0.store, attempt, &folder).await?;
            if let Some(image) = &mut wanted.image {
                image.source = image.source.within(&folder.join("repository"))?;
            }
        }
        if self.0.contained && wanted.image.is_none() {
            return Err(Error::invalid(
                "this machine runs work in containers only, and its Docker engine was not there when Cairn started",
            ));
        }
        let environment = self.0.environments.ensure(&wanted).await?;
        let inputs = self.inputs(work).await?;
        let api_url = self.0.api_url.as_ref().unwrap_or(&work.api_url);
        let spec = match &work.task {
            Task::Server { .. } if !environment.jupyter => {
                return Err(Error::invalid(format!(
                    "the image of the environment {} has no JupyterLab: it serves jobs only",
                    work.environment.name
                )));
            }
            Task::Server { workspace_id } => server::spec(server::Parts {
                work,
                workspace_id: *workspace_id,
                environment: &environment,
                home: self.layout().home(workspace_id),
                provided: provided::provide(self.layout())?,
                shelf: self.shelf(*workspace_id).inside(),
                inputs: inputs.clone(),
                api_url,
            }),
            Task::Attempt(attempt) => {
                let folder = self.layout().attempt(&attempt.id);
                process::spec(&process::Parts {
                    work,
                    attempt,
                    environment: &environment,
                    folder,
                    inputs: inputs.clone(),
                    python: provided::provide(self.layout())?.python,
                    api_url,
                })
            }
        };
        Ok((spec, inputs))
    }
}

#[async_trait]
impl Machine for LocalMachine {
    fn id(&self) -> MachineId {
        self.0.id
    }

    async fn environment(&self, spec: &EnvironmentSpec) -> Result<Built> {
        let (builder, spec) = (&self.0.environments, &self.software(spec));
        Ok(Built {
            digest: builder.digest(spec).await?,
            state: builder.state(spec).await?,
        })
    }

    async fn build(&self, spec: &EnvironmentSpec) -> Result<()> {
        self.0.environments.ensure(&self.software(spec)).await?;
        Ok(())
    }

    async fn build_log(
        &self,
        spec: &EnvironmentSpec,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Vec<u8>> {
        let digest = self.0.environments.digest(&self.software(spec)).await?;
        read_part(self.0.environments.log_path(&digest), offset, max_bytes)
            .await
            .map_err(|error| Error::internal("an environment's log cannot be read", error))
    }

    async fn make_home(&self, workspace: WorkspaceId, template: Option<Hash>) -> Result<()> {
        home::make(&self.0.store, self.layout(), workspace, template).await
    }

    async fn has_home(&self, workspace: WorkspaceId) -> Result<bool> {
        tokio::fs::try_exists(self.layout().home(&workspace))
            .await
            .map_err(|error| Error::internal("a home cannot be looked for", error))
    }

    async fn remove_home(&self, workspace: WorkspaceId) -> Result<()> {
        homes::forget(&self.0.store, &home::index(workspace));
        self.shelf(workspace).remove().await?;
        remove_tree(self.layout().home(&workspace)).await
    }

    async fn restore_home(&self, workspace: WorkspaceId, source: &HomeSource) -> Result<()> {
        let owner = self.0.runtime.owner(source.uid_slot)?;
        let held = self.1.hold(workspace).await;
        for run in self.runs().await? {
            let ours = of_run(&run).is_some_and(|(id, _)| id == workspace);
            let status = if ours { self.status(&run).await? } else { None };
            if status.is_some_and(|status| status.exit.is_none()) {
                return Err(Error::conflict("a server of this workspace runs here"));
            }
        }
        let (store, layout) = (&self.0.store, self.layout());
        home::restore(store, layout, (workspace, held), (source, owner)).await
    }

    async fn snapshot_home(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<homes::Pending> {
        let (home, index) = (self.layout().home(&workspace), home::index(workspace));
        Ok(homes::take(&self.0.store, project, &home, &index).await?)
    }

    async fn measure_home(&self, workspace: WorkspaceId) -> Result<homes::Usage> {
        Ok(homes::measure(&self.layout().home(&workspace)).await?)
    }

    async fn snapshot(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<snapshot::Pending> {
        let folder = self.layout().work(&workspace);
        if !tokio::fs::try_exists(&folder).await.unwrap_or(false) {
            return Err(Error::conflict(
                "this workspace has no files yet: start it once",
            ));
        }
        let options = snapshot::Options::new(project).index(workspace.to_string());
        Ok(snapshot::take(&self.0.store, &folder, options).await?)
    }

    async fn prepare(&self, work: &Work) -> Result<()> {
        let _starting = self.2.read().await;
        self.spec(work).await.map(drop)
    }

    async fn start(&self, work: &Work, secrets: &Secrets) -> Result<Status> {
        // A restore that was given up by its caller may still go on: nothing begins over a home that is being replaced.
        let _held = match &work.task {
            Task::Server { workspace_id } => Some(self.1.hold(*workspace_id).await),
            Task::Attempt(_) => None,
        };
        let _starting = self.2.read().await;
        Uses::of(self.layout()).begin(&work.run_id, &work.inputs)?;
        let (mut spec, inputs) = self.spec(work).await?;
        spec.secrets = given(secrets);
        let api_url = self.0.api_url.as_ref().unwrap_or(&work.api_url);
        spec.api = reach::authority(api_url);
        if let Task::Server { workspace_id } = &work.task
            && self.status(&work.run_id).await?.is_none()
        {
            self.lay_out(*workspace_id, work, &inputs).await?;
        }
        let handle = self.0.runtime.start(spec).await?;
        self.0
            .runtime
            .status(&handle)
            .await?
            .ok_or_else(|| Error::not_found("the run vanished as it was started"))
    }

    async fn show_inputs(&self, workspace: WorkspaceId, inputs: &[Input]) -> Result<()> {
        let _held = self.1.hold(workspace).await;
        let folder = self.shelf(workspace);
        folder.show(&self.0.store, inputs, self.link()).await
    }

    async fn runs(&self) -> Result<Vec<String>> {
        let handles = self.0.runtime.list().await?;
        let mut runs: Vec<String> = handles.into_iter().map(|handle| handle.id).collect();
        runs.extend(attempt::left_behind(self.layout()));
        runs.sort_unstable();
        runs.dedup();
        Ok(runs)
    }

    async fn status(&self, run_id: &str) -> Result<Option<Status>> {
        Ok(self.0.runtime.status(&self.handle(run_id)).await?)
    }

    async fn changed(&self, run_id: &str, seen: &Status) -> Result<Status> {
        Ok(self.0.runtime.changed(&self.handle(run_id), seen).await?)
    }

    async fn stop(&self, run_id: &str, grace: Duration) -> Result<()> {
        self.0.runtime.stop(&self.handle(run_id), grace).await?;
        self.sweep_after().await;
        Ok(())
    }

    async fn remove(&self, run_id: &str) -> Result<()> {
        self.0.runtime.remove(&self.handle(run_id)).await?;
        self.sweep_after().await;
        match AttemptId::from_str(run_id) {
            Ok(attempt) => remove_tree(self.layout().attempt(&attempt)).await,
            Err(_) => Ok(()),
        }
    }

    async fn read_log(&self, run_id: &str, offset: u64, max_bytes: usize) -> Result<LogChunk> {
        let handle = self.handle(run_id);
        Ok(self.0.runtime.read_log(&handle, offset, max_bytes).await?)
    }

    async fn address(&self, run_id: &str) -> Result<Option<Address>> {
        let socket = self.0.runtime.address(&self.handle(run_id)).await?;
        Ok(socket.map(Address::Unix))
    }

    async fn tidy(&self) -> Result<()> {
        self.sweep_alone().await
    }

    async fn seen(&self) -> Result<Option<HashSet<Hash>>> {
        Uses::of(self.layout()).seen()
    }

    async fn capture(&self, attempt: AttemptId, project: ProjectId) -> Result<Left> {
        let folder = self.layout().attempt(&attempt);
        let log = self.0.runtime.log_path(&self.handle(&attempt.to_string()));
        attempt::capture(&self.0.store, project, &folder, log).await
    }
}

/// Secrets as files that only the run can read.
fn given(secrets: &Secrets) -> Vec<Secret> {
    let file = |name: &str, text: &String| Secret {
        name: name.to_owned(),
        bytes: text.clone().into_bytes(),
    };
    let server = secrets
        .server_token
        .as_ref()
        .map(|text| file("server-token", text));
    server
        .into_iter()
        .chain([file("token", &secrets.api_token)])
        .collect()
}

/// Part of a file; nothing where it does not exist.
async fn read_part(path: PathBuf, offset: u64, max_bytes: usize) -> std::io::Result<Vec<u8>> {
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

    let mut file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut bytes = Vec::new();
    file.take(max_bytes as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
