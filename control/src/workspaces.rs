//! Workspaces: what people ask of them. What then happens is in `drive`.

pub(crate) mod drive;
pub(crate) mod home;
mod inputs;
pub(crate) mod server;
mod start;
mod turns;

use serde::Deserialize;
use storage::{
    ids::{HomeSnapshotId, ProjectId, UserId, WorkspaceId},
    leases::{self, Subject},
    workspaces::{self, Desired, State, Workspace},
};

use crate::{Address, Control, Error, Result, inputs::NewInput, log, logs};

pub use server::base_path;
pub(crate) use start::{begin, of_run};
pub(crate) use turns::Turns;

/// A workspace to make.
#[derive(Clone, Debug, Deserialize)]
pub struct NewWorkspace {
    /// Its name; unique among one's own in the project.
    pub name: String,
    /// Its environment; `default` where none is named.
    pub environment: Option<String>,
    /// Its machine type; the usual one where none is named.
    pub machine: Option<String>,
    /// What to mount into it.
    pub inputs: Vec<NewInput>,
}

/// Where a workspace's server can be reached now.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// It runs.
    Running {
        /// Where it listens.
        address: Address,
        /// What its requests must carry as `Authorization: token …`. Never leaves the gateway.
        token: String,
        /// Differs for each run: a new run has new tunnels.
        run_id: String,
    },
    /// It does not, or not yet.
    NotRunning {
        /// What it is instead.
        state: State,
    },
}

impl Control {
    /// Makes a workspace; it is stopped.
    ///
    /// # Errors
    /// `Invalid` for an unknown environment, machine type or input, or a bad name; `Conflict` for a name in use.
    pub async fn create_workspace(
        &self,
        user_id: UserId,
        project_id: ProjectId,
        new: NewWorkspace,
    ) -> Result<Workspace> {
        let (environment, _) = self
            .settings()
            .workspace_environment(new.environment.as_deref())?;
        let (machine, _) = self.settings().machine(new.machine.as_deref())?;
        let inputs = self.resolve_inputs(project_id, &new.inputs).await?;
        let record = &workspaces::NewWorkspace {
            project_id,
            user_id,
            name: new.name,
            environment,
            machine,
            inputs,
        };
        let here = self.hosts().local().id();
        let made = self.db().write(move |mut tx| async move {
            let made = workspaces::create(&mut tx, record).await?;
            leases::accepted(&mut tx, Subject::Workspace(made.id), here).await?;
            Ok(made)
        });
        Ok(made.await?)
    }

    /// Asks for the workspace's server to run, on another machine type where one is named. What runs stays.
    ///
    /// `accepted`: the snapshot of the home to go on from, where something newer may lie on a machine that cannot be reached.
    ///
    /// # Errors
    /// `Invalid` for a machine type that no machine can ever provide; the text says why. `HomeUnreachable` where `accepted` has to be agreed
    /// to first, `HomeFull` for a home over its quota.
    pub async fn start_workspace(
        &self,
        id: WorkspaceId,
        machine: Option<&str>,
        accepted: Option<HomeSnapshotId>,
    ) -> Result<Workspace> {
        let found = workspaces::get(self.db(), id).await?.ok_or_else(missing)?;
        if machine.is_some_and(|name| name != found.machine) {
            return self.restart_workspace(id, machine, accepted).await;
        }
        if !matches!(found.state, State::Running | State::Starting) {
            home::check(self, id, accepted).await?;
        }
        self.check_fits(&found.machine, false).await?;
        self.desire(id, Desired::Running).await
    }

    /// Asks for a new server in place of the one that runs, or for a first one. Otherwise as [`Control::start_workspace`].
    pub async fn restart_workspace(
        &self,
        id: WorkspaceId,
        machine: Option<&str>,
        accepted: Option<HomeSnapshotId>,
    ) -> Result<Workspace> {
        let found = workspaces::get(self.db(), id).await?.ok_or_else(missing)?;
        self.check_fits(machine.unwrap_or(&found.machine), false)
            .await?;
        home::check(self, id, accepted).await?;
        Ok(self
            .db()
            .write(move |mut tx| async move { workspaces::restart(&mut tx, id, machine).await })
            .await?)
    }

    /// Asks for the server to end. Files stay; kernels do not.
    pub async fn stop_workspace(&self, id: WorkspaceId) -> Result<Workspace> {
        self.desire(id, Desired::Stopped).await
    }

    /// Asks for the workspace to go, with its home. Jobs and snapshots made from it stay.
    pub async fn delete_workspace(&self, id: WorkspaceId) -> Result<Workspace> {
        self.desire(id, Desired::Deleted).await
    }

    /// Attaches an input, in place of one of the same name. A running server sees it at once; in place of one that it started with, after a
    /// restart.
    pub async fn attach_input(&self, id: WorkspaceId, new: &NewInput) -> Result<Workspace> {
        let found = workspaces::get(self.db(), id).await?.ok_or_else(missing)?;
        let input = &self.resolve_input(found.project_id, new).await?;
        let attached = self
            .db()
            .write(move |mut tx| async move { workspaces::attach_input(&mut tx, id, input).await })
            .await?;
        inputs::show(self, id).await;
        Ok(attached)
    }

    /// Detaches an input. A running server loses it at once; one that it started with, with a restart.
    ///
    /// # Errors
    /// `NotFound` where there is none of this name.
    pub async fn detach_input(&self, id: WorkspaceId, name: &str) -> Result<Workspace> {
        let was = self
            .db()
            .write(move |mut tx| async move { workspaces::detach_input(&mut tx, id, name).await })
            .await?;
        if !was {
            return Err(Error::not_found("the workspace has no input of this name"));
        }
        inputs::show(self, id).await;
        workspaces::get(self.db(), id).await?.ok_or_else(missing)
    }

    /// Where the workspace's server can be reached now.
    ///
    /// # Errors
    /// `NotFound` for an unknown workspace.
    pub async fn upstream(&self, id: WorkspaceId) -> Result<Upstream> {
        let found = workspaces::get(self.db(), id).await?.ok_or_else(missing)?;
        let (State::Running, Some(run_id), Some(sealed)) =
            (found.state, &found.run_id, &found.token_sealed)
        else {
            return Ok(Upstream::NotRunning { state: found.state });
        };
        let Some(address) = self.host_of(&found)?.address(run_id).await? else {
            return Ok(Upstream::NotRunning {
                state: State::Stopping,
            });
        };
        let token = start::unseal(self, id, sealed)?;
        Ok(Upstream::Running {
            address,
            token,
            run_id: run_id.clone(),
        })
    }

    /// Records that the workspace was used now.
    pub async fn touch_workspace(&self, id: WorkspaceId) -> Result<()> {
        let now_ms = self.db().now_ms();
        Ok(self
            .db()
            .write(move |mut tx| async move { workspaces::touch(&mut tx, id, now_ms).await })
            .await?)
    }

    /// The log of the workspace's present or last server from byte `offset`, about `bytes` of it.
    pub async fn server_log(
        &self,
        id: WorkspaceId,
        offset: u64,
        bytes: usize,
    ) -> Result<log::Page> {
        let found = workspaces::get(self.db(), id).await?.ok_or_else(missing)?;
        if found.fence == 0 {
            return Ok(log::Page {
                ended: true,
                ..log::Page::default()
            });
        }
        let (machine, run) = (self.host_of(&found)?, start::run_id(id, found.fence));
        logs::of_run(&*machine, &run, offset, bytes).await
    }

    async fn desire(&self, id: WorkspaceId, desired: Desired) -> Result<Workspace> {
        Ok(self
            .db()
            .write(move |mut tx| async move { workspaces::desire(&mut tx, id, desired).await })
            .await?)
    }
}

fn missing() -> Error {
    Error::not_found("there is no such workspace")
}
