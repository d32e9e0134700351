//! Brings what a running server sees below `inputs` to what the records say.

use storage::{
    ids::WorkspaceId,
    workspaces::{self, State},
};

use super::missing;
use crate::{Control, Result};

/// Shows a workspace's running server its inputs as they are recorded now; does nothing where none runs.
///
/// Whoever changes the inputs records that first and calls this then, and so does whoever has recorded that the server runs: one of two at the
/// same time sees what both have recorded. What fails is only logged, since the records stand: it is tried again at the next change, and at the
/// latest with the next start. Goes on to its end when its future is dropped.
pub(super) async fn show(control: &Control, id: WorkspaceId) {
    let control = control.clone();
    let shown = tokio::spawn(async move { show_recorded(&control, id).await });
    if let Ok(Err(error)) = shown.await {
        tracing::warn!(workspace.id = %id, %error, "a running workspace's inputs cannot be shown");
    }
}

async fn show_recorded(control: &Control, id: WorkspaceId) -> Result<()> {
    let _held = control.input_locks().hold(id).await;
    let found = workspaces::get(control.db(), id).await?;
    let found = found.ok_or_else(missing)?;
    if found.state != State::Running {
        return Ok(());
    }
    let machine = control.host_of(&found)?;
    machine.show_inputs(id, &found.inputs).await
}
