//! The process is killed after each step of a cycle and of a put beside it.

use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::capture::testing::open;
use crate::ids::ProjectId;
use crate::objects::CRASH_AT;

async fn project(store: &Store) -> ProjectId {
    let found: String = required(store.db(), sql("SELECT id FROM projects"))
        .await
        .unwrap();
    found.parse().unwrap()
}

/// The child of the test below: collects, puts again what goes, and collects once more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_kill_at_any_step_loses_nothing_and_leaves_nothing in a process of its own"]
async fn child_that_is_killed() {
    let data = PathBuf::from(std::env::var("CAIRN_TEST_DATA").unwrap());
    let store = open(&data, &data.join("store")).await;
    let project = project(&store).await;
    cycle(&store).await;
    let pending = outputs::capture(&store, project, &data.join("work"))
        .await
        .unwrap();
    let user: String = required(store.db(), sql("SELECT id FROM users"))
        .await
        .unwrap();
    let new = pending
        .captured()
        .snapshot(project, user.parse().unwrap(), None);
    let (pending_ref, new) = (&pending, &new);
    let work = |mut tx: Tx| async move {
        pending_ref.record(&mut tx).await?;
        snapshots::create(&mut tx, new).await
    };
    store.db().write(work).await.unwrap();
    cycle(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_loses_nothing_and_leaves_nothing() {
    let fixture = Fixture::sqlite().await;
    let folder = fixture.folder("work");
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "kept", "kept");
    push(&fixture, digits, &folder).await;
    let place = fixture.dir.path();
    for step in 1..400 {
        let store = open(place, &place.join("store")).await;
        write(&folder, "goes", "goes");
        let pending = outputs::capture(&store, fixture.project, &folder)
            .await
            .unwrap();
        let (number, _) = add_version(&store, &fixture, digits, pending).await;
        let (by, id) = (fixture.user, digits);
        let work = |mut tx: Tx| async move { datasets::retract(&mut tx, id, number, by).await };
        store.db().write(work).await.unwrap();
        cycle(&store).await;
        store.db().close().await;
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "gc::tests::crash::child_that_is_killed",
            "--ignored",
        ]);
        let child = child
            .env("CAIRN_TEST_DATA", place)
            .env(CRASH_AT, step.to_string());
        let output = child.output().unwrap();
        let store = open(place, &place.join("store")).await;
        assert_sound(&store).await;
        assert!(has(&store, "kept"), "after step {step}");
        let work = |mut tx: Tx| async move { execute(&mut tx, sql("DELETE FROM snapshots")).await };
        store.db().write(work).await.unwrap();
        for _ in 0..3 {
            cycle(&store).await;
        }
        assert_sound(&store).await;
        assert!(
            has(&store, "kept") && !has(&store, "goes"),
            "after step {step}"
        );
        assert_eq!(count(store.db(), "SELECT COUNT(*) FROM objects").await, 1);
        store.db().close().await;
        if output.status.success() {
            assert!(step > 30, "the child came to its end at step {step}");
            return;
        }
    }
    panic!("the child never came to its end");
}
