//! What is said of things that ran.

use serde_json::Map;

use super::*;
use crate::ids::{JobId, MachineId, SnapshotId};
use crate::jobs::{self, NewJob};
use crate::leases::{Claim, place_job, place_workspace};
use crate::machines::{Kind, Registration, register};
use crate::workspaces::{self, Desired, NewWorkspace, State};
use crate::{attempts, events, outputs, snapshots, tokens};

async fn snapshot(fixture: &Fixture) -> SnapshotId {
    let store = &fixture.store;
    let folder = fixture.folder("code");
    lay(&folder, "train.py", "print(1)");
    let pending = outputs::capture(store, fixture.project, &folder)
        .await
        .unwrap();
    let new = pending
        .captured()
        .snapshot(fixture.project, fixture.user, None);
    let (pending, new) = (&pending, &new);
    let work = |mut tx: Tx| async move {
        pending.record(&mut tx).await?;
        snapshots::create(&mut tx, new).await
    };
    store.db().write(work).await.unwrap().id
}

async fn job(fixture: &Fixture, (retries, rerun_of): (i64, Option<JobId>)) -> JobId {
    let new = &NewJob {
        project_id: fixture.project,
        user_id: fixture.user,
        name: String::new(),
        workspace_id: None,
        snapshot_id: snapshot(fixture).await,
        command: Some(vec!["true".to_owned()]),
        notebook: None,
        parameters: Map::new(),
        inputs: Vec::new(),
        environment: "default".to_owned(),
        machine: "local".to_owned(),
        idempotency_key: None,
        rerun_of,
        time_limit_ms: None,
        cell_time_limit_ms: None,
        hold_ms: None,
        tags: Vec::new(),
        retries,
        queue: true,
    };
    let work = |mut tx: Tx| async move { jobs::create(&mut tx, new).await };
    fixture.store.db().write(work).await.unwrap().job.id
}

fn claim(machine_id: MachineId) -> Claim {
    Claim {
        machine_id,
        machine: "local".to_owned(),
        cpu_millicores: 1000,
        memory_bytes: 1 << 30,
        devices: Vec::new(),
        price: None,
    }
}

async fn machine(fixture: &Fixture) -> MachineId {
    let new = &Registration {
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
    let work = |mut tx: Tx| async move { register(&mut tx, new).await };
    fixture.store.db().write(work).await.unwrap().id
}

async fn restored(fixture: &Fixture) -> (tempfile::TempDir, Restored, Store) {
    let (bytes, _) = backup(&fixture.store).await;
    let place = tempfile::tempdir().unwrap();
    let (restored, store) = restore_into(bytes, place.path()).await.unwrap();
    (place, restored, store)
}

#[tokio::test]
async fn a_job_that_ran_is_said_to_be_lost_or_tried_again_and_others_are_as_they_were() {
    let fixture = filled().await;
    let claim = &claim(machine(&fixture).await);
    let (waits, ran) = (
        job(&fixture, (0, None)).await,
        job(&fixture, (0, None)).await,
    );
    let (again, asked) = (
        job(&fixture, (1, Some(ran))).await,
        job(&fixture, (0, None)).await,
    );
    for id in [ran, again, asked] {
        let work = |mut tx: Tx| async move { place_job(&mut tx, id, claim).await };
        fixture.store.db().write(work).await.unwrap().unwrap();
    }
    let stop = |mut tx: Tx| async move { jobs::request_stop(&mut tx, asked).await };
    fixture.store.db().write(stop).await.unwrap();
    let (_place, restored, store) = restored(&fixture).await;
    assert_eq!(restored.settled.jobs, 3);
    let of = async |id| jobs::get(store.db(), id).await.unwrap().unwrap();
    assert_eq!(of(waits).await.state, jobs::State::Queued);
    let lost = of(ran).await;
    assert_eq!(lost.state, jobs::State::Error);
    let said = lost.message.unwrap();
    assert!(said.contains("this server was restored"), "{said}");
    let next = of(again).await;
    assert_eq!(
        (next.state, next.rerun_of),
        (jobs::State::Queued, Some(ran))
    );
    assert_eq!(of(asked).await.state, jobs::State::Stopped);
    assert!(attempts::live(store.db()).await.unwrap().is_empty());
    assert!(crate::leases::live(store.db()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_workspace_that_ran_is_stopped_and_its_token_is_dead() {
    let fixture = filled().await;
    let machine_id = machine(&fixture).await;
    let new = &NewWorkspace {
        project_id: fixture.project,
        user_id: fixture.user,
        name: "main".to_owned(),
        environment: "default".to_owned(),
        machine: "local".to_owned(),
        inputs: Vec::new(),
    };
    let claim = &claim(machine_id);
    let work = |mut tx: Tx| async move {
        let made = workspaces::create(&mut tx, new).await?;
        let made = workspaces::desire(&mut tx, made.id, Desired::Running).await?;
        place_workspace(&mut tx, made.id, (0, "run"), None, claim).await?;
        let token = tokens::NewToken {
            user_id: new.user_id,
            name: "of the workspace".to_owned(),
            scopes: Vec::new(),
            expires_ms: None,
            workspace_id: Some(made.id),
            job_id: None,
        };
        tokens::create(&mut tx, &token).await?;
        Ok(made.id)
    };
    let id = fixture.store.db().write(work).await.unwrap();
    let before = workspaces::get(fixture.store.db(), id).await.unwrap();
    let (_place, restored, store) = restored(&fixture).await;
    assert_eq!(restored.settled.workspaces, 1);
    let found = workspaces::get(store.db(), id).await.unwrap().unwrap();
    // Runs that were begun after the backup have numbers that are not given out again.
    assert!(found.fence > before.unwrap().fence + 1000);
    assert_eq!(
        (found.state, found.desired),
        (State::Stopped, Desired::Stopped)
    );
    assert!(crate::leases::live(store.db()).await.unwrap().is_empty());
    let text = "SELECT COUNT(*) FROM tokens WHERE revoked_ms IS NULL";
    let live: i64 = crate::db::required(store.db(), sql(text)).await.unwrap();
    assert_eq!(live, 0);
}

#[tokio::test]
async fn whoever_followed_events_reads_everything_anew() {
    let fixture = filled().await;
    let seen = events::newest(fixture.store.db()).await.unwrap();
    assert!(events::kept_after(fixture.store.db(), seen).await.unwrap());
    let (_place, _, store) = restored(&fixture).await;
    // Also those who saw some that the backup does not have.
    for number in [seen, seen + 1, seen + 1000] {
        assert!(!events::kept_after(store.db(), number).await.unwrap());
    }
    change(&store, "UPDATE users SET display_name = 'Ada'").await;
    let newest = events::newest(store.db()).await.unwrap();
    assert!(newest > seen + 1000);
    assert!(events::kept_after(store.db(), newest).await.unwrap());
}
