//! Starting a workspace's server: what is needed is prepared step by step, then the spawner is asked.

use spawner::{Exit, Status};
use storage::{
    ids::{MachineId, WorkspaceId},
    leases::{self, Claim, Subject},
    machines,
    phases::{self, Phase},
    secret::Secret,
    tokens::{self, NewToken},
    workspaces::{self, Note, State, Workspace},
};

use crate::{
    Control, Error, Result, crash,
    machine::{Machine, Secrets, Task, Work},
    settings::software,
};

use super::home;

/// Name of the `fence`th run of a workspace.
pub(super) fn run_id(id: WorkspaceId, fence: i64) -> String {
    format!("w-{id}-{fence}")
}

/// The workspace and fencing number that [`run_id`] was made of.
pub(crate) fn of_run(run_id: &str) -> Option<(WorkspaceId, i64)> {
    let (id, fence) = run_id.strip_prefix("w-")?.rsplit_once('-')?;
    Some((id.parse().ok()?, fence.parse().ok()?))
}

/// What a server's token is sealed for, so that it opens nothing else.
fn purpose(id: WorkspaceId) -> String {
    format!("server token of workspace {id}")
}

/// The token of a server, from how it lies in the records.
pub(super) fn unseal(control: &Control, id: WorkspaceId, sealed: &str) -> Result<String> {
    let bytes = control.key().open(&purpose(id), sealed)?;
    String::from_utf8(bytes).map_err(|error| Error::internal("a sealed token is not text", error))
}

/// Begins a new run in the records, on what `claim` names, where that is free still; says whether it was.
pub(crate) async fn begin(control: &Control, workspace: &Workspace, claim: &Claim) -> Result<bool> {
    let (id, fence) = (workspace.id, workspace.fence);
    let sealed = control
        .key()
        .seal(&purpose(id), Secret::mint().expose().as_bytes())?;
    let (run, sealed) = (&run_id(id, fence + 1), &sealed);
    let begun = control.db().write(move |mut tx| async move {
        leases::place_workspace(&mut tx, id, (fence, run), Some(sealed), claim).await
    });
    Ok(begun.await?.is_some())
}

/// Carries a run that the records name as starting to where its server answers.
///
/// Safe to call again after a crash at any point: what was done is found and not done twice.
pub(super) async fn launch(control: &Control, workspace: &Workspace) -> Result<()> {
    let run = run_id(workspace.id, workspace.fence);
    crash::point("start: begun");
    let machine = &*control.host_of(workspace)?;
    // Its turn lasts until it answers.
    let (mut status, _turn) = if let Some(status) = machine.status(&run).await? {
        (status, None)
    } else {
        let work = prepare(control, machine, workspace).await?;
        let cores = cores(control, machine.id()).await?;
        let turn = control.turns().wait(machine.id(), cores).await;
        let begun = start(control, machine, workspace, &work).await?;
        (begun, Some(turn))
    };
    loop {
        if let Some(exit) = &status.exit {
            return failed(control, workspace, failure(exit)).await;
        }
        if status.phase == spawner::Phase::Running && status.ready {
            crash::point("start: answers");
            step(control, workspace, State::Running, Note::default()).await?;
            crash::point("start: running");
            return Ok(());
        }
        status = machine.changed(&run, &status).await?;
    }
}

/// How many cores the machine says it has.
async fn cores(control: &Control, machine: MachineId) -> Result<usize> {
    let found = machines::get(control.db(), machine).await?;
    let millicores = found.and_then(|found| found.cpu_millicores);
    Ok(usize::try_from(millicores.unwrap_or_default() / 1000).unwrap_or_default())
}

/// Has everything made that the run needs.
async fn prepare(control: &Control, machine: &dyn Machine, workspace: &Workspace) -> Result<Work> {
    // The last run was kept for its log until now.
    machine
        .remove(&run_id(workspace.id, workspace.fence - 1))
        .await?;
    let work = work(control, workspace).await?;
    let built = machine.environment(&work.environment).await?;
    if built.state != spawner::environments::State::Ready {
        phase(control, workspace, Phase::Preparing).await?;
        machine.build(&work.environment).await?;
    }
    crash::point("start: environment");
    home::ready(control, machine, workspace).await?;
    crash::point("start: home recorded");
    if !workspace.inputs.is_empty() {
        phase(control, workspace, Phase::Mounting).await?;
        machine.prepare(&work).await?;
    }
    Ok(work)
}

async fn start(
    control: &Control,
    machine: &dyn Machine,
    workspace: &Workspace,
    work: &Work,
) -> Result<Status> {
    phase(control, workspace, Phase::Starting).await?;
    let sealed = workspace
        .token_sealed
        .as_deref()
        .ok_or_else(|| Error::not_found("the run has no token"))?;
    let secrets = Secrets {
        api_token: api_token(control, workspace).await?,
        server_token: Some(unseal(control, workspace.id, sealed)?),
    };
    crash::point("start: prepared");
    let status = machine.start(work, &secrets).await?;
    crash::point("start: launched");
    Ok(status)
}

/// What the workspace runs.
async fn work(control: &Control, workspace: &Workspace) -> Result<Work> {
    let settings = control.settings();
    let (_, environment) = settings.workspace_environment(Some(&workspace.environment))?;
    let (_, machine) = settings.machine(Some(&workspace.machine))?;
    Ok(Work {
        run_id: run_id(workspace.id, workspace.fence),
        environment: software(environment, machine),
        machine: machine.clone(),
        gpus: control
            .leased(Subject::Workspace(workspace.id), workspace.fence)
            .await?,
        inputs: workspace.inputs.clone(),
        uid_slot: Some(control.uid_slot(workspace.user_id).await?),
        api_url: settings.api_url.clone(),
        task: Task::Server {
            workspace_id: workspace.id,
        },
    })
}

/// A token for what runs in the workspace: good for this workspace only, and only while this run lasts.
async fn api_token(control: &Control, workspace: &Workspace) -> Result<String> {
    let new = NewToken {
        user_id: workspace.user_id,
        name: format!("workspace {}", workspace.name),
        scopes: vec!["workspace".to_owned()],
        expires_ms: None,
        workspace_id: Some(workspace.id),
        job_id: None,
    };
    let new = &new;
    let (_, secret) = control
        .db()
        .write(move |mut tx| async move { tokens::create(&mut tx, new).await })
        .await?;
    Ok(secret.expose().to_owned())
}

/// Tells people how far it has come, and remembers how long each step takes.
pub(super) async fn phase(control: &Control, workspace: &Workspace, phase: Phase) -> Result<()> {
    let (id, generation) = (workspace.id, workspace.generation);
    let enter = control
        .db()
        .write(move |mut tx| async move { phases::enter(&mut tx, id, generation, phase).await });
    Ok(enter.await?)
}

/// Moves the run on from the state that the caller saw it in. Nothing happens where somebody else was faster.
pub(super) async fn step(
    control: &Control,
    workspace: &Workspace,
    to: State,
    note: Note,
) -> Result<()> {
    let (id, fence, from, note) = (workspace.id, workspace.fence, workspace.state, &note);
    control
        .db()
        .write(move |mut tx| async move {
            let moved = workspaces::transition(&mut tx, id, fence, (from, to), note).await?;
            if moved && to != State::Stopping {
                phases::leave(&mut tx, id).await?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Ends the run with a message that says what happened.
pub(super) async fn failed(
    control: &Control,
    workspace: &Workspace,
    message: String,
) -> Result<()> {
    tracing::warn!(workspace.id = %workspace.id, message, "a workspace's server failed");
    step(
        control,
        workspace,
        State::Error,
        Note {
            message: Some(message),
            phase: None,
        },
    )
    .await
}

/// What happened, in words for the person whose workspace it is.
pub(super) fn failure(exit: &Exit) -> String {
    use spawner::Reason;
    let what = match exit.reason {
        Reason::Exited => match (exit.code, exit.signal) {
            (Some(code), _) => format!("JupyterLab ended by itself with status {code}."),
            (None, Some(signal)) => format!("JupyterLab was ended by signal {signal}."),
            (None, None) => "JupyterLab ended by itself.".to_owned(),
        },
        Reason::Oom => "The server used more memory than its machine type has.".to_owned(),
        Reason::Lost => {
            "The machine was restarted, or the server's supervisor was killed.".to_owned()
        }
        Reason::Stopped => "The server was stopped.".to_owned(),
        _ => "The server could not be started.".to_owned(),
    };
    if exit.message.is_empty() {
        what
    } else {
        format!("{what} {}", exit.message)
    }
}
