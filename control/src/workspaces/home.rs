//! Where a workspace's home is, how it gets to where its next run is, and how it is saved. The records name the copy that is the home; a run
//! writes it only after they do.

use std::time::Duration;

use storage::{
    homes::{self, HomeConflict, HomeCopy, HomeRun, HomeSnapshot},
    ids::{HomeSnapshotId, MachineId, WorkspaceId},
    machines,
    phases::Phase,
    projects,
    workspaces::{Note, State, Workspace},
};

use super::start;
use crate::{
    Control, Error, Result, crash,
    machine::{HomeSource, Machine},
};

/// A machine that said nothing for so long cannot be reached, whoever holds it.
const SILENCE: Duration = Duration::from_secs(45);

/// What is to be done so that a home is on a machine.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// It is there, or there is none yet.
    Use,
    /// It is made there as this snapshot has it; what lies there already is kept under the name, where no snapshot has it.
    Restore(HomeSnapshotId, Option<String>),
    /// It has to be saved first, on the machine where it is, by this run's number.
    Save(MachineId, i64),
}

/// `copies`: the home itself first.
fn plan(copies: &[HomeCopy], accepted: Option<HomeSnapshotId>, here: MachineId) -> Plan {
    let Some(home) = copies.first().filter(|home| home.machine_id != here) else {
        return Plan::Use;
    };
    let own = copies.iter().find(|copy| copy.machine_id == here);
    let keep = own.filter(|copy| !copy.saved).map(conflict_name);
    match (home.saved, home.snapshot_id, accepted) {
        (true, Some(saved), _) => Plan::Restore(saved, keep),
        (_, _, Some(accepted)) => Plan::Restore(accepted, keep),
        _ => Plan::Save(home.machine_id, home.fence),
    }
}

/// What a copy that nobody else has is called in the home: when it was last known to be in use.
fn conflict_name(copy: &HomeCopy) -> String {
    let (days, ms) = (
        copy.changed_ms.div_euclid(86_400_000),
        copy.changed_ms.rem_euclid(86_400_000),
    );
    let (year, month, day) = storage::clock::date(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("conflict-{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// Makes the home ready for the workspace's present run on `machine`, and records that the run may write it.
///
/// Safe to call again after a crash at any point.
///
/// # Errors
/// `Unavailable` while the machine that has the newest files cannot be reached and nobody agreed to go on without them.
pub(super) async fn ready(
    control: &Control,
    machine: &dyn Machine,
    workspace: &Workspace,
) -> Result<()> {
    let (db, id) = (control.db(), workspace.id);
    let mut copies = homes::copies(db, id).await?;
    let mut accepted = accepted(control, &copies, id).await?;
    let mut next = plan(&copies, accepted, machine.id());
    if let Plan::Save(source, fence) = next {
        let source = source_of(control, source)?;
        if source.has_home(id).await? {
            start::phase(control, workspace, Phase::Saving).await?;
            save(control, &*source, workspace, (fence, true)).await?;
            copies = homes::copies(db, id).await?;
        } else {
            accepted = left(control, id).await?;
            if accepted.is_none() {
                copies.clear();
            }
        }
        next = plan(&copies, accepted, machine.id());
    }
    if next == Plan::Use
        && !copies.is_empty()
        && !machine.has_home(id).await?
        && let Some(from) = left(control, id).await?
    {
        next = Plan::Restore(from, None);
    }
    let from = match next {
        Plan::Save(..) => return Err(Error::conflict("the home changed while it was saved")),
        Plan::Restore(from, keep_aside) => {
            restore(control, machine, workspace, (from, keep_aside)).await?;
            Some(from)
        }
        Plan::Use => {
            let template = projects::template(db, workspace.project_id).await?;
            let template = template.map(|digest| digest.parse()).transpose()?;
            machine.make_home(id, template).await?;
            crash::point("start: home");
            None
        }
    };
    let run = run_of(workspace, machine, workspace.fence);
    let begun = db.write(move |mut tx| async move { homes::begin(&mut tx, run, from).await });
    if begun.await? {
        Ok(())
    } else {
        Err(Error::conflict("the workspace has another run by now"))
    }
}

/// What is left of a home that should be on a machine and is not: somebody removed it, its disk is another one, or it was not in the backup from
/// which the server was restored. Its newest snapshot; without one the workspace begins anew.
async fn left(control: &Control, id: WorkspaceId) -> Result<Option<HomeSnapshotId>> {
    let newest = homes::newest(control.db(), id).await?;
    tracing::warn!(workspace.id = %id, restored = newest.is_some(), "a home is gone from its machine");
    Ok(newest.map(|newest| newest.id))
}

/// The snapshot to go on from instead of the home itself, while the home cannot be reached.
async fn accepted(
    control: &Control,
    copies: &[HomeCopy],
    id: WorkspaceId,
) -> Result<Option<HomeSnapshotId>> {
    match copies.first() {
        Some(home) if !is_reachable(control, home.machine_id).await? => {
            Ok(homes::record(control.db(), id).await?.accepted_id)
        }
        _ => Ok(None),
    }
}

/// Ends in the records a run on a machine that was silent for longer than it goes on without the server, where the workspace's owner agreed to
/// go on without it. What the machine may still say is refused by its fencing number.
pub(crate) async fn give_up(control: &Control, workspace: &Workspace) -> Result<()> {
    let copies = homes::copies(control.db(), workspace.id).await?;
    let Some(home) = copies.first() else {
        return Ok(());
    };
    let agreed = accepted(control, &copies, workspace.id).await?.is_some();
    let grace = control.settings().offline_grace;
    if !agreed || seen_within(control, home.machine_id, grace).await? != Some(false) {
        return Ok(());
    }
    tracing::warn!(workspace.id = %workspace.id, machine.id = %home.machine_id, "a run is given up: its machine cannot be reached");
    start::step(control, workspace, State::Stopped, Note::default()).await
}

fn source_of(control: &Control, id: MachineId) -> Result<std::sync::Arc<dyn Machine>> {
    control.hosts().get(id).map_err(|_| Error::Unavailable {
        message: "the machine with the newest files cannot be reached now".to_owned(),
        source: None,
    })
}

fn run_of(workspace: &Workspace, machine: &dyn Machine, fence: i64) -> HomeRun {
    HomeRun {
        workspace_id: workspace.id,
        machine_id: machine.id(),
        fence,
    }
}

async fn restore(
    control: &Control,
    machine: &dyn Machine,
    workspace: &Workspace,
    (from, mut keep_aside): (HomeSnapshotId, Option<String>),
) -> Result<()> {
    start::phase(control, workspace, Phase::Moving).await?;
    if let Some(name) = &keep_aside {
        // After a restore of the server it is not known whether anything lies there.
        if machine.has_home(workspace.id).await? {
            note_conflict(control, machine, workspace, name).await?;
        } else {
            keep_aside = None;
        }
    }
    let snapshot = homes::get(control.db(), from)
        .await?
        .ok_or_else(|| Error::not_found("the snapshot of the home is not there"))?;
    let source = HomeSource {
        project_id: workspace.project_id,
        manifest_digest: snapshot.manifest_digest,
        attributes_hash: snapshot.attributes_hash,
        uid_slot: Some(control.uid_slot(workspace.user_id).await?),
        keep_aside,
    };
    machine.restore_home(workspace.id, &source).await?;
    crash::point("move: restored");
    Ok(())
}

/// Records that what lies on a machine, and may not be saved, is put into the home under a name: before it is done, so that it is told whatever happens.
async fn note_conflict(
    control: &Control,
    machine: &dyn Machine,
    workspace: &Workspace,
    name: &str,
) -> Result<()> {
    tracing::warn!(workspace.id = %workspace.id, name, "files that were not saved when their machine was given up are put into the home");
    let conflict = &HomeConflict {
        name: name.to_owned(),
        machine_id: machine.id(),
        created_ms: control.db().now_ms(),
    };
    let id = workspace.id;
    let add = control
        .db()
        .write(move |mut tx| async move { homes::add_conflict(&mut tx, id, conflict).await });
    Ok(add.await?)
}

/// Takes a snapshot of a home as it lies on `machine` and records it, unless another copy is the home by now. `fence` is the run that wrote
/// it; `whole` says that this run has ended.
pub(crate) async fn save(
    control: &Control,
    machine: &dyn Machine,
    workspace: &Workspace,
    (fence, whole): (i64, bool),
) -> Result<Option<HomeSnapshot>> {
    let pending = machine
        .snapshot_home(workspace.id, workspace.project_id)
        .await?;
    crash::point("save: taken");
    let (run, pending_ref) = (run_of(workspace, machine, fence), &pending);
    let saved = control
        .db()
        .write(move |mut tx| async move { homes::save(&mut tx, pending_ref, run, whole).await })
        .await?;
    crash::point("save: recorded");
    if saved.is_some() {
        pending.recorded();
    }
    Ok(saved)
}

/// Saves the home of a server that is to be replaced while it still runs, so that little is left to save once it has ended.
pub(super) async fn save_ahead(control: &Control, machine: &dyn Machine, workspace: &Workspace) {
    let saved = async {
        if travels(control).await? {
            start::phase(control, workspace, Phase::Saving).await?;
            save(control, machine, workspace, (workspace.fence, false)).await?;
        }
        Ok::<_, Error>(())
    };
    tell_failure(workspace.id, saved.await);
}

/// Saves the home of a run that has ended, if it may be needed elsewhere. A failure only means that it is saved when it is.
pub(super) async fn save_last(control: &Control, machine: &dyn Machine, workspace: &Workspace) {
    let saved = async {
        if travels(control).await? {
            save(control, machine, workspace, (workspace.fence, true)).await?;
        }
        Ok::<_, Error>(())
    };
    tell_failure(workspace.id, saved.await);
}

fn tell_failure(id: WorkspaceId, saved: Result<()>) {
    if let Err(error) = saved {
        tracing::warn!(workspace.id = %id, error = &error as &dyn std::error::Error, "a home could not be saved now");
    }
}

/// Whether there is any other machine that a home could go to: with one machine nothing is gained by a second copy of everything.
pub(crate) async fn travels(control: &Control) -> Result<bool> {
    Ok(machines::list(control.db()).await?.len() > 1)
}

/// Removes the home with all its copies that can be reached; the others go when their machines come back.
pub(super) async fn remove(control: &Control, workspace: &Workspace) -> Result<()> {
    let id = workspace.id;
    for copy in homes::copies(control.db(), id).await? {
        let machine_id = copy.machine_id;
        let Ok(machine) = control.hosts().get(machine_id) else {
            continue;
        };
        machine.remove_home(id).await?;
        let forget = control
            .db()
            .write(move |mut tx| async move { homes::forget_copy(&mut tx, id, machine_id).await });
        forget.await?;
    }
    Ok(())
}

/// Refuses a start that would have to do without files that lie where nobody can reach them now, unless the newest snapshot of the home is
/// `accepted`; and one whose home is over its quota.
pub(super) async fn check(
    control: &Control,
    id: WorkspaceId,
    accepted: Option<HomeSnapshotId>,
) -> Result<()> {
    let record = homes::record(control.db(), id).await?;
    let quota = control.settings().homes.quota_bytes;
    if let (Some(quota), Some(bytes)) = (quota, record.bytes)
        && u64::try_from(bytes).unwrap_or_default() > quota
    {
        return Err(Error::HomeFull { bytes, quota });
    }
    let copies = homes::copies(control.db(), id).await?;
    let Some(home) = copies.first().filter(|home| !home.saved) else {
        return Ok(());
    };
    if is_reachable(control, home.machine_id).await? {
        return Ok(());
    }
    if let Some(accepted) = accepted {
        let accept = control
            .db()
            .write(move |mut tx| async move { homes::accept(&mut tx, id, accepted).await });
        match accept.await {
            // A newer one was taken meanwhile: that one is to be agreed to.
            Err(storage::Error::Conflict(_)) => {}
            other => return Ok(other?),
        }
    }
    let newest = homes::newest(control.db(), id).await?;
    let machine = machines::get(control.db(), home.machine_id).await?;
    let now_ms = control.db().now_ms();
    Err(Error::HomeUnreachable {
        machine: machine.map(|machine| machine.name).unwrap_or_default(),
        snapshot_id: newest.as_ref().map(|newest| newest.id),
        snapshot_age_ms: newest.map(|newest| now_ms - newest.created_ms),
    })
}

async fn is_reachable(control: &Control, id: MachineId) -> Result<bool> {
    if control.hosts().get(id).is_ok() {
        return Ok(true);
    }
    Ok(seen_within(control, id, SILENCE).await? == Some(true))
}

/// Whether a machine was heard of within this time; none where it said goodbye or never was there.
async fn seen_within(control: &Control, id: MachineId, time: Duration) -> Result<Option<bool>> {
    let now_ms = control.db().now_ms();
    let limit_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let machine = machines::get(control.db(), id).await?;
    let seen_ms = machine.and_then(|machine| machine.seen_ms);
    Ok(seen_ms.map(|seen_ms| now_ms - seen_ms < limit_ms))
}

#[cfg(test)]
mod tests {
    use storage::clock::System;

    use super::*;

    fn copy(machine_id: MachineId, fence: i64, saved: Option<HomeSnapshotId>) -> HomeCopy {
        HomeCopy {
            machine_id,
            fence,
            snapshot_id: saved,
            saved: saved.is_some(),
            changed_ms: 1_795_248_000_000,
        }
    }

    #[test]
    fn a_home_is_used_where_it_is_and_restored_elsewhere() {
        let (here, there) = (MachineId::new(&System), MachineId::new(&System));
        let from = HomeSnapshotId::new(&System);
        let saved = Some(from);
        assert_eq!(plan(&[], None, here), Plan::Use);
        let stayed = [copy(here, 3, None), copy(there, 2, saved)];
        assert_eq!(plan(&stayed, None, here), Plan::Use);
        let gone = [copy(there, 3, saved)];
        assert_eq!(plan(&gone, None, here), Plan::Restore(from, None));
        let back = [copy(there, 3, saved), copy(here, 2, saved)];
        assert_eq!(plan(&back, None, here), Plan::Restore(from, None));
    }

    #[test]
    fn what_no_snapshot_has_is_saved_first_or_kept_beside() {
        let (here, there) = (MachineId::new(&System), MachineId::new(&System));
        let (saved, accepted) = (HomeSnapshotId::new(&System), HomeSnapshotId::new(&System));
        let open = [copy(there, 3, None)];
        assert_eq!(plan(&open, None, here), Plan::Save(there, 3));
        let given_up = plan(&open, Some(accepted), here);
        assert_eq!(given_up, Plan::Restore(accepted, None));
        let newer = [copy(there, 4, Some(saved)), copy(here, 3, None)];
        let name = "conflict-20261121-080000".to_owned();
        assert_eq!(
            plan(&newer, None, here),
            Plan::Restore(saved, Some(name.clone()))
        );
        let still = plan(&newer, Some(accepted), here);
        assert_eq!(still, Plan::Restore(saved, Some(name)), "saved is newest");
    }
}
