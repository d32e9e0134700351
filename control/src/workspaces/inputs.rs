//! Brings what a running server sees below `inputs` to what the records say.

use storage::{
    ids::WorkspaceId,
    workspaces::{self, State},
};

use super::missing;
use crate::{Control, Error, Result};

/// Shows a workspace's running server its inputs as they are recorded now; does nothing where none runs.
///
/// Whoever changes the inputs records that first and calls this then, and so does whoever has recorded that the server runs: one of two at the
/// same time sees what both have recorded. What fails is logged, since the records stand, and said: who watches over the workspace tries again.
/// Goes on to its end when its future is dropped.
pub(super) async fn show(control: &Control, id: WorkspaceId) -> bool {
    let control = control.clone();
    let shown = tokio::spawn(async move { show_recorded(&control, id).await });
    let shown = shown.await;
    let shown =
        shown.unwrap_or_else(|error| Err(Error::internal("showing inputs was interrupted", error)));
    if let Err(error) = &shown {
        tracing::warn!(workspace.id = %id, %error, "a running workspace's inputs cannot be shown");
    }
    shown.is_ok()
}

async fn show_recorded(control: &Control, id: WorkspaceId) -> Result<()> {
    let _held = control.input_locks().hold(id).await;
    let mut shown = None;
    loop {
        let found = workspaces::get(control.db(), id).await?;
        let found = found.ok_or_else(missing)?;
        // Another server on the same records may change them meanwhile, whose call may have come before this one.
        if found.state != State::Running || shown.as_ref() == Some(&found.inputs) {
            return Ok(());
        }
        let machine = control.host_of(&found)?;
        machine.show_inputs(id, &found.inputs).await?;
        shown = Some(found.inputs);
    }
}
