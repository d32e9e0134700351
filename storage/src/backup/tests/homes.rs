//! What is said of homes: those whose folders are gone, and those on other machines, which may be newer than the backup.

use super::*;
use crate::homes::{self, AbsentHome, HomeRun};
use crate::ids::{MachineId, WorkspaceId};
use crate::machines::{self, Kind, Registration};
use crate::workspaces::{self, Desired, NewWorkspace, Note, State};

struct Bed {
    fixture: Fixture,
    here: MachineId,
    there: MachineId,
}

impl Bed {
    async fn new() -> Self {
        let fixture = filled().await;
        let here = Registration {
            id: MachineId::new(&System),
            name: "here".to_owned(),
            kind: Kind::Local,
            labels: Vec::new(),
            runtimes: Vec::new(),
            cpu_millicores: None,
            memory_bytes: None,
            slots: None,
            address: None,
            devices: Vec::new(),
        };
        let new = &here;
        let work = |mut tx: Tx| async move {
            machines::register(&mut tx, new).await?;
            Ok(machines::create(&mut tx, "there", &[]).await?.0.id)
        };
        let there = fixture.store.db().write(work).await.unwrap();
        Self {
            fixture,
            here: here.id,
            there,
        }
    }

    /// A workspace that was on these machines, one after the other, and was saved at the end of each run, or not.
    async fn workspace(&self, name: &str, runs: &[(MachineId, bool)]) -> WorkspaceId {
        let store = &self.fixture.store;
        let new = &NewWorkspace {
            project_id: self.fixture.project,
            user_id: self.fixture.user,
            name: name.to_owned(),
            environment: "default".to_owned(),
            machine: "local".to_owned(),
            inputs: Vec::new(),
        };
        let make = |mut tx: Tx| async move { workspaces::create(&mut tx, new).await };
        let id = store.db().write(make).await.unwrap().id;
        let home = self.fixture.folder(name);
        for (fence, (machine_id, saved)) in (1..).zip(runs) {
            lay(&home, "file", format!("{name} {fence}"));
            let taken = homes::take(store, self.fixture.project, &home, name);
            let taken = &taken.await.unwrap();
            let run = HomeRun {
                workspace_id: id,
                machine_id: *machine_id,
                fence,
            };
            let live = |mut tx: Tx| async move {
                workspaces::desire(&mut tx, id, Desired::Running).await?;
                workspaces::begin_start(&mut tx, id, fence - 1, "run", None).await?;
                assert!(homes::begin(&mut tx, run, None).await?);
                if *saved {
                    assert!(homes::save(&mut tx, taken, run, true).await?.is_some());
                }
                workspaces::desire(&mut tx, id, Desired::Stopped).await?;
                let ends = (State::Starting, State::Stopped);
                workspaces::transition(&mut tx, id, fence, ends, &Note::default()).await
            };
            store.db().write(live).await.unwrap();
        }
        id
    }

    async fn restored(&self) -> (tempfile::TempDir, Restored, Store) {
        let memory = Memory::default();
        let options = Options {
            machine_id: Some(self.here),
            ..Options::default()
        };
        let out = Box::new(memory.clone());
        let written = write(&self.fixture.store, out, options, unwatched());
        written.await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let done = restore_into(memory.bytes(), place.path()).await;
        let (restored, store) = done.unwrap();
        (place, restored, store)
    }

    fn absent(name: &str, machine: Option<&str>, saved_ms: Option<i64>) -> AbsentHome {
        AbsentHome {
            name: format!("ada/{name}"),
            machine: machine.map(str::to_owned),
            saved_ms,
        }
    }
}

/// The copies of a home, the home itself first: where they are, and whether a snapshot has all of them.
async fn copies(store: &Store, id: WorkspaceId) -> Vec<(MachineId, bool)> {
    let copies = homes::copies(store.db(), id).await.unwrap();
    let copies = copies.iter();
    copies.map(|copy| (copy.machine_id, copy.saved)).collect()
}

#[tokio::test]
async fn no_snapshot_is_said_to_have_what_lies_on_another_machine() {
    let bed = Bed::new().await;
    let (here, there) = (bed.here, bed.there);
    let far = bed.workspace("far", &[(here, true), (there, true)]).await;
    let back = bed.workspace("back", &[(there, true), (here, true)]).await;
    let near = bed.workspace("near", &[(here, true)]).await;
    assert_eq!(copies(&bed.fixture.store, far).await[0], (there, true));
    let (_place, restored, store) = bed.restored().await;
    assert_eq!(
        copies(&store, far).await,
        [(there, false), (here, true)],
        "it is saved anew before it is moved"
    );
    assert_eq!(copies(&store, back).await, [(here, true), (there, false)]);
    // It may have been there since, and then that is kept when the home comes.
    assert_eq!(copies(&store, near).await, [(here, true), (there, false)]);
    let newest = homes::newest(store.db(), far).await.unwrap().unwrap();
    let told = Bed::absent("far", Some("there"), Some(newest.created_ms));
    assert_eq!(restored.settled.homes, [told]);
}

#[tokio::test]
async fn a_home_that_was_never_saved_is_told() {
    let bed = Bed::new().await;
    let lost = bed.workspace("lost", &[(bed.here, false)]).await;
    let away = bed.workspace("away", &[(bed.there, false)]).await;
    let unused = bed.workspace("unused", &[]).await;
    let (_place, restored, store) = bed.restored().await;
    assert_eq!(copies(&store, lost).await, []);
    assert_eq!(copies(&store, away).await, [(bed.there, false)]);
    assert_eq!(copies(&store, unused).await, []);
    let told = [
        Bed::absent("away", Some("there"), None),
        Bed::absent("lost", None, None),
    ];
    assert_eq!(restored.settled.homes, told);
}

#[tokio::test]
async fn a_removed_workspace_stays_so_with_what_is_still_to_be_removed() {
    let bed = Bed::new().await;
    let id = bed.workspace("gone", &[(bed.there, true)]).await;
    let remove = |mut tx: Tx| async move {
        workspaces::desire(&mut tx, id, Desired::Deleted).await?;
        let gone = workspaces::deleted(&mut tx, id).await?;
        homes::forget_all(&mut tx, id).await?;
        Ok(gone)
    };
    assert!(bed.fixture.store.db().write(remove).await.unwrap());
    let (_place, restored, store) = bed.restored().await;
    assert_eq!(restored.settled.homes, []);
    let left = homes::leftover(store.db(), bed.there).await.unwrap();
    assert_eq!(left, [id]);
    for _ in 0..3 {
        crate::gc::tests::cycle(&store).await;
    }
    assert!(!has(&store, "gone 1") && has(&store, "a"));
}
