//! Brings one workspace to what was asked of it, and keeps it there until it rests. One call at a time for each workspace.

use std::{convert::Infallible, time::Duration};

use storage::{
    homes,
    ids::WorkspaceId,
    phases::Phase,
    workspaces::{self, Desired, Note, State, Workspace},
};
use tokio::sync::Notify;

use super::{home, inputs, start};
use crate::{Control, Result, crash};

/// Time for JupyterLab to end its kernels before it is ended.
const GRACE: Duration = Duration::from_secs(10);
/// Between two tries to show a running server its inputs.
const AGAIN: Duration = Duration::from_secs(30);

/// What to do next with a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: it is as asked, and nothing runs.
    Rest,
    /// Nothing, until the reconciler has found it a machine.
    Wait,
    /// Carry the named run to where it answers.
    Launch,
    /// See whether it goes on.
    Watch,
    /// End the run.
    Stop,
    /// Forget an error.
    Settle,
    /// Remove the home and mark it deleted.
    Delete,
}

fn step(workspace: &Workspace) -> Step {
    let wanted = workspace.desired == Desired::Running;
    let current = workspace.run_generation == workspace.generation;
    match (workspace.state, workspace.desired) {
        (State::Stopped | State::Error, Desired::Deleted) => Step::Delete,
        (State::Stopped, Desired::Stopped) => Step::Rest,
        (State::Error, Desired::Stopped) => Step::Settle,
        (State::Error, Desired::Running) if current => Step::Rest,
        (State::Stopped | State::Error, Desired::Running) => Step::Wait,
        (State::Starting, _) if wanted && current => Step::Launch,
        (State::Running, _) if wanted && current => Step::Watch,
        (State::Starting | State::Running | State::Stopping, _) => Step::Stop,
    }
}

/// Whether it waits to be placed on a machine.
pub(crate) fn waits(workspace: &Workspace) -> bool {
    step(workspace) == Step::Wait
}

/// Drives the workspace until it rests or waits. `nudge` says that its record changed.
///
/// Dropping the future loses nothing: the next call goes on from what the records and the spawner say.
pub(crate) async fn drive(control: &Control, id: WorkspaceId, nudge: &Notify) -> Result<()> {
    while let Some(workspace) = workspaces::get(control.db(), id).await? {
        match step(&workspace) {
            Step::Rest | Step::Wait => return Ok(()),
            Step::Launch => launch(control, &workspace, nudge).await?,
            Step::Watch => watch(control, &workspace, nudge).await?,
            Step::Stop => stop(control, &workspace).await?,
            Step::Settle => {
                start::step(control, &workspace, State::Stopped, Note::default()).await?;
            }
            Step::Delete => delete(control, &workspace).await?,
        }
    }
    Ok(())
}

async fn launch(control: &Control, workspace: &Workspace, nudge: &Notify) -> Result<()> {
    let launched = start::launch(control, workspace);
    tokio::select! {
        done = launched => match done {
            Err(error) if !error.retryable() => {
                tracing::warn!(workspace.id = %workspace.id, error = &error as &dyn std::error::Error, "a workspace could not be started");
                start::failed(control, workspace, error.to_string()).await
            }
            done => done,
        },
        () = unless(control, workspace, Step::Launch, nudge) => Ok(()),
    }
}

async fn watch(control: &Control, workspace: &Workspace, nudge: &Notify) -> Result<()> {
    tokio::select! {
        ended = ended(control, workspace) => {
            let message = ended?;
            start::failed(control, workspace, message).await
        }
        // Some may have been attached while it started.
        never = shown(control, workspace) => match never {},
        () = unless(control, workspace, Step::Watch, nudge) => Ok(()),
    }
}

/// Shows the server its inputs, however often that takes, and then stays.
async fn shown(control: &Control, workspace: &Workspace) -> Infallible {
    while !inputs::show(control, workspace.id).await {
        tokio::time::sleep(AGAIN).await;
    }
    std::future::pending().await
}

/// Waits until the run has ended; returns what happened.
async fn ended(control: &Control, workspace: &Workspace) -> Result<String> {
    let machine = control.host_of(workspace)?;
    let run = start::run_id(workspace.id, workspace.fence);
    let Some(mut status) = machine.status(&run).await? else {
        return Ok("The server is gone, and nothing on this machine remembers it.".to_owned());
    };
    loop {
        if let Some(exit) = &status.exit {
            return Ok(start::failure(exit));
        }
        status = machine.changed(&run, &status).await?;
    }
}

/// Waits until something else than `expected` is to be done with the workspace.
async fn unless(control: &Control, workspace: &Workspace, expected: Step, nudge: &Notify) {
    loop {
        nudge.notified().await;
        match workspaces::get(control.db(), workspace.id).await {
            Ok(Some(now)) if now.fence == workspace.fence && step(&now) == expected => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(workspace.id = %workspace.id, %error, "a workspace's record cannot be read");
            }
        }
    }
}

async fn stop(control: &Control, workspace: &Workspace) -> Result<()> {
    let machine = &*control.host_of(workspace)?;
    if workspace.state != State::Stopping {
        if workspace.state == State::Running && workspace.desired == Desired::Running {
            home::save_ahead(control, machine, workspace).await;
        }
        return start::step(control, workspace, State::Stopping, Note::default()).await;
    }
    crash::point("stop: asked");
    start::phase(control, workspace, Phase::Stopping).await?;
    let run = start::run_id(workspace.id, workspace.fence);
    machine.stop(&run, GRACE).await?;
    crash::point("stop: ended");
    home::save_last(control, machine, workspace).await;
    start::step(control, workspace, State::Stopped, Note::default()).await?;
    crash::point("stop: stopped");
    Ok(())
}

async fn delete(control: &Control, workspace: &Workspace) -> Result<()> {
    let (id, machine) = (workspace.id, control.host_of(workspace)?);
    if workspace.fence > 0 {
        machine.remove(&start::run_id(id, workspace.fence)).await?;
    }
    // Also where the records name no copy yet.
    machine.remove_home(id).await?;
    home::remove(control, workspace).await?;
    let deleted = control.db().write(move |mut tx| async move {
        homes::forget_all(&mut tx, id).await?;
        workspaces::deleted(&mut tx, id).await
    });
    deleted.await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspaces::server::testing::workspace;

    fn next(state: State, desired: Desired, (run_generation, generation): (i64, i64)) -> Step {
        let plain = workspace();
        step(&Workspace {
            state,
            desired,
            run_generation,
            generation,
            ..plain
        })
    }

    #[test]
    fn what_is_asked_decides_the_next_step() {
        use Desired::{Deleted, Running, Stopped};
        let current = (1, 1);
        let cases = [
            (State::Stopped, Stopped, Step::Rest),
            (State::Stopped, Running, Step::Wait),
            (State::Stopped, Deleted, Step::Delete),
            (State::Starting, Running, Step::Launch),
            (State::Starting, Stopped, Step::Stop),
            (State::Starting, Deleted, Step::Stop),
            (State::Running, Running, Step::Watch),
            (State::Running, Stopped, Step::Stop),
            (State::Running, Deleted, Step::Stop),
            (State::Stopping, Running, Step::Stop),
            (State::Stopping, Stopped, Step::Stop),
            (State::Stopping, Deleted, Step::Stop),
            (State::Error, Running, Step::Rest),
            (State::Error, Stopped, Step::Settle),
            (State::Error, Deleted, Step::Delete),
        ];
        for (state, desired, expected) in cases {
            assert_eq!(next(state, desired, current), expected, "{state} {desired}");
        }
    }

    #[test]
    fn a_newer_request_replaces_what_runs_and_clears_an_error() {
        let newer = (1, 2);
        assert_eq!(next(State::Starting, Desired::Running, newer), Step::Stop);
        assert_eq!(next(State::Running, Desired::Running, newer), Step::Stop);
        assert_eq!(next(State::Error, Desired::Running, newer), Step::Wait);
    }
}
