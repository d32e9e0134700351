//! Homes: who may record what, and which copy is the home.

use std::path::Path;

use storage::clock::Clock;
use storage::homes::{self, HomeConflict, HomeRun, HomeSnapshot, Pending, Usage};
use storage::ids::{HomeSnapshotId, MachineId, ProjectId};
use storage::workspaces::{self, Desired, Note, State, Workspace};
use storage::{Error, Store, fsck};

use crate::bed::{Bed, on_both, written};

on_both!(
    a_snapshot_of_an_older_run_is_refused,
    a_snapshot_of_a_deleted_workspace_is_refused,
    what_a_run_left_is_not_replaced_by_what_was_read_before,
    the_home_is_where_the_last_run_was,
    only_the_newest_snapshot_can_be_accepted,
    conflicts_and_sizes_are_kept,
    homes_from_before_are_found,
    attributes_are_checked_with_the_store,
);

struct Home {
    store: Store,
    folder: tempfile::TempDir,
    project: ProjectId,
    workspace: Workspace,
}

impl Home {
    async fn new(bed: &Bed) -> Self {
        let ada = bed.user("ada").await;
        let project = bed.project(ada.id, "vision").await;
        let workspace = bed.workspace(project, ada.id, "lab").await;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), bed.db.clone()).await;
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Self {
            store: store.unwrap(),
            folder,
            project,
            workspace,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Begins the run with this fencing number.
    async fn run(&self, bed: &Bed, fence: i64, machine_id: MachineId) -> HomeRun {
        let workspace_id = self.workspace.id;
        written!(bed, |tx| workspaces::desire(
            &mut tx,
            workspace_id,
            Desired::Running
        ))
        .unwrap();
        let run = &format!("run-{fence}");
        let begun = written!(bed, |tx| workspaces::begin_start(
            &mut tx,
            workspace_id,
            fence - 1,
            run,
            None
        ));
        assert_eq!(begun.unwrap(), Some(fence));
        let run = HomeRun {
            workspace_id,
            machine_id,
            fence,
        };
        assert!(written!(bed, |tx| homes::begin(&mut tx, run, None)).unwrap());
        run
    }

    async fn stop(&self, bed: &Bed, fence: i64) {
        let (id, note) = (self.workspace.id, &Note::default());
        let ends = (State::Starting, State::Stopped);
        assert!(
            written!(bed, |tx| workspaces::transition(
                &mut tx, id, fence, ends, note
            ))
            .unwrap()
        );
    }

    async fn take(&self, content: &str) -> Pending {
        let home = self.path().join("home");
        let file = home.join("file");
        if std::fs::read_to_string(&file).ok().as_deref() != Some(content) {
            std::fs::write(&file, content).unwrap();
        }
        homes::take(&self.store, self.project, &home, "home")
            .await
            .unwrap()
    }

    async fn save(
        &self,
        bed: &Bed,
        run: HomeRun,
        content: &str,
        whole: bool,
    ) -> Option<HomeSnapshot> {
        let pending = &self.take(content).await;
        written!(bed, |tx| homes::save(&mut tx, pending, run, whole)).unwrap()
    }
}

fn machine(bed: &Bed) -> MachineId {
    MachineId::new(&bed.clock)
}

async fn a_snapshot_of_an_older_run_is_refused(bed: &Bed) {
    let (home, here, there) = (Home::new(bed).await, machine(bed), machine(bed));
    let first = home.run(bed, 1, here).await;
    let saved = home.save(bed, first, "one", false).await.unwrap();
    assert!(!saved.whole);
    home.stop(bed, 1).await;
    let same = home.save(bed, first, "one", false).await.unwrap();
    assert_eq!(same.id, saved.id, "the same content is one snapshot");
    let second = home.run(bed, 2, there).await;
    assert_eq!(home.save(bed, first, "late", true).await, None);
    let stray = HomeRun {
        machine_id: here,
        ..second
    };
    assert_eq!(
        home.save(bed, stray, "stray", true).await,
        None,
        "another machine has the home"
    );
    assert!(!written!(bed, |tx| homes::begin(&mut tx, first, None)).unwrap());
    home.save(bed, second, "two", false).await.unwrap();
    let kept = homes::snapshots(&bed.db, home.workspace.id).await.unwrap();
    assert_eq!(kept.len(), 2);
}

async fn a_snapshot_of_a_deleted_workspace_is_refused(bed: &Bed) {
    let (home, here) = (Home::new(bed).await, machine(bed));
    let id = home.workspace.id;
    let run = home.run(bed, 1, here).await;
    home.save(bed, run, "one", false).await.unwrap();
    home.stop(bed, 1).await;
    written!(bed, |tx| workspaces::desire(&mut tx, id, Desired::Deleted)).unwrap();
    assert!(written!(bed, |tx| workspaces::deleted(&mut tx, id)).unwrap());
    assert_eq!(home.save(bed, run, "late", true).await, None);
}

async fn the_home_is_where_the_last_run_was(bed: &Bed) {
    let (home, here, there) = (Home::new(bed).await, machine(bed), machine(bed));
    let id = home.workspace.id;
    let first = home.run(bed, 1, here).await;
    home.stop(bed, 1).await;
    let saved = home.save(bed, first, "one", true).await.unwrap();
    let copies = homes::copies(&bed.db, id).await.unwrap();
    assert_eq!((copies[0].machine_id, copies[0].saved), (here, true));
    assert_eq!(copies[0].snapshot_id, Some(saved.id));
    let second = home.run(bed, 2, there).await;
    written!(bed, |tx| homes::begin(&mut tx, second, Some(saved.id))).unwrap();
    let copies = homes::copies(&bed.db, id).await.unwrap();
    assert_eq!((copies[0].machine_id, copies[0].saved), (there, false));
    assert_eq!(copies[0].snapshot_id, Some(saved.id));
    assert_eq!((copies[1].machine_id, copies[1].saved), (here, true));
    written!(bed, |tx| homes::forget_copy(&mut tx, id, here)).unwrap();
    assert_eq!(homes::copies(&bed.db, id).await.unwrap().len(), 1);
}

async fn only_the_newest_snapshot_can_be_accepted(bed: &Bed) {
    let (home, here) = (Home::new(bed).await, machine(bed));
    let id = home.workspace.id;
    let run = home.run(bed, 1, here).await;
    let old = home.save(bed, run, "one", false).await.unwrap().id;
    let new = home.save(bed, run, "two", false).await.unwrap().id;
    let accept =
        async |snapshot: HomeSnapshotId| written!(bed, |tx| homes::accept(&mut tx, id, snapshot));
    assert!(matches!(accept(old).await, Err(Error::Conflict(_))));
    accept(new).await.unwrap();
    let record = homes::record(&bed.db, id).await.unwrap();
    assert_eq!(record.accepted_id, Some(new));
    written!(bed, |tx| homes::begin(&mut tx, run, Some(new))).unwrap();
    let record = homes::record(&bed.db, id).await.unwrap();
    assert_eq!(record.accepted_id, None, "it was for one start");
}

async fn conflicts_and_sizes_are_kept(bed: &Bed) {
    let (home, here) = (Home::new(bed).await, machine(bed));
    let id = home.workspace.id;
    let conflict = &HomeConflict {
        name: "conflict-1".into(),
        machine_id: here,
        created_ms: bed.clock.now_ms(),
    };
    for _ in 0..2 {
        written!(bed, |tx| homes::add_conflict(&mut tx, id, conflict)).unwrap();
    }
    let usage = Usage {
        files: 3,
        bytes: 4096,
    };
    written!(bed, |tx| homes::measured(&mut tx, id, usage, true)).unwrap();
    let record = homes::record(&bed.db, id).await.unwrap();
    assert_eq!(record.conflicts, std::slice::from_ref(conflict));
    assert_eq!((record.files, record.bytes), (Some(3), Some(4096)));
    let views = homes::views(&bed.db, &[id]).await.unwrap();
    assert_eq!((&views[0].record, views[0].snapshot_ms), (&record, None));
}

async fn homes_from_before_are_found(bed: &Bed) {
    let (home, here) = (Home::new(bed).await, machine(bed));
    let id = home.workspace.id;
    home.run(bed, 1, here).await;
    written!(bed, |tx| homes::forget_copy(&mut tx, id, here)).unwrap();
    for _ in 0..2 {
        written!(bed, |tx| homes::adopt(&mut tx, here)).unwrap();
    }
    let copies = homes::copies(&bed.db, id).await.unwrap();
    assert_eq!((copies[0].machine_id, copies[0].fence), (here, 1));
    assert_eq!(copies.len(), 1);
}

async fn attributes_are_checked_with_the_store(bed: &Bed) {
    let (home, here) = (Home::new(bed).await, machine(bed));
    let run = home.run(bed, 1, here).await;
    let saved = home.save(bed, run, "one", true).await.unwrap();
    let report = fsck::check(&home.store, fsck::Mode::Full).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.orphaned_objects, 0);
    let path = home.store.objects().path(&saved.attributes_hash).unwrap();
    std::fs::remove_file(path).unwrap();
    let report = fsck::check(&home.store, fsck::Mode::Quick).await.unwrap();
    assert_eq!(report.findings[0].hash, saved.attributes_hash);
}

async fn what_a_run_left_is_not_replaced_by_what_was_read_before(bed: &Bed) {
    let home = Home::new(bed).await;
    let run = home.run(bed, 1, machine(bed)).await;
    let before = &home.take("before").await;
    home.stop(bed, 1).await;
    let left = home.save(bed, run, "left", true).await.unwrap();
    let late = written!(bed, |tx| homes::save(&mut tx, before, run, false)).unwrap();
    assert_eq!(late.unwrap().id, left.id);
    let copies = homes::copies(&bed.db, run.workspace_id).await.unwrap();
    assert_eq!(
        (copies[0].saved, copies[0].snapshot_id),
        (true, Some(left.id))
    );
}
