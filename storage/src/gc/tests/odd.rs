//! Leftovers of older versions and of faults.

use super::*;
use crate::capture::testing::migrated;
use crate::clock::System;
use crate::ids::WorkspaceId;

/// A home's snapshot of a workspace that is deleted already, such as could be recorded once.
async fn stray_snapshot(fixture: &Fixture, digest: Hash, attributes: Hash) {
    let (id, project, user) = (WorkspaceId::new(&System), fixture.project, fixture.user);
    let work = |mut tx: Tx| async move {
        let text = "INSERT INTO workspaces (id, project_id, user_id, name, environment, machine, desired, state, generation, run_generation, \
             fence, created_ms, deleted_ms) VALUES ($1, $2, $3, 'lab', 'default', 'cpu', 'deleted', 'stopped', 0, 0, 1, 1, 1)";
        let query = sql(text).bind(id).bind(project).bind(user);
        execute(&mut tx, query).await?;
        let text = "INSERT INTO home_snapshots (id, workspace_id, machine_id, fence, whole, manifest_digest, attributes_hash, files, bytes, \
             skipped, created_ms) VALUES ('s', $1, 'm', 1, 1, $2, $3, 1, 1, '[]', 1)";
        let query = sql(text).bind(id).bind(digest.to_hex());
        execute(&mut tx, query.bind(attributes.to_hex())).await
    };
    fixture.store.db().write(work).await.unwrap();
}

#[tokio::test]
async fn what_a_stray_record_refers_to_stays_and_stops_nothing() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (first, digest) = push(&fixture, digits, &folder).await;
    write(&folder, "a", "b");
    write(&folder, "c", "c");
    let (second, other) = push(&fixture, digits, &folder).await;
    stray_snapshot(&fixture, digest, Hash::of(b"c")).await;
    retract(&fixture, digits, first).await;
    retract(&fixture, digits, second).await;
    for _ in 0..3 {
        cycle(store).await;
    }
    assert!(has(store, "a"), "a manifest that is not forgotten has it");
    assert!(has(store, "c") && !has(store, "b"));
    assert!(manifest::summary(store, other).await.unwrap().is_none());
    let work =
        |mut tx: Tx| async move { execute(&mut tx, sql("DELETE FROM home_snapshots")).await };
    store.db().write(work).await.unwrap();
    for _ in 0..2 {
        cycle(store).await;
    }
    assert!(!has(store, "a") && !has(store, "c"));
    assert_sound(store).await;
}

#[tokio::test]
async fn a_healed_object_goes_also_while_its_damaged_copy_is_kept() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, _) = push(&fixture, digits, &folder).await;
    let aside = store.within("damaged");
    std::fs::create_dir(&aside).unwrap();
    let aside = aside.join(Hash::of(b"a").to_hex());
    std::fs::write(&aside, "x").unwrap();
    let patient = || Options {
        damaged_ms: 1_000_000,
        ..at_once()
    };
    collect(store, patient()).await.unwrap();
    retract(&fixture, digits, number).await;
    for _ in 0..2 {
        let report = collect(store, patient()).await.unwrap();
        assert_eq!(report.damaged_kept.count, 1);
    }
    assert!(!has(store, "a") && aside.exists());
    assert_sound(store).await;
}

#[tokio::test]
async fn a_fading_manifest_that_the_system_cannot_read_stops_a_cycle_and_a_missing_one_does_not() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, digest) = push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    let hex = digest.to_hex();
    let place = store.within("manifests").join(&hex[..2]).join(&hex[2..]);
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    let failed = collect(store, at_once()).await;
    assert!(matches!(failed, Err(Error::Internal { .. })), "{failed:?}");
    assert_eq!(count(store.db(), "SELECT COUNT(*) FROM condemned").await, 0);
    std::fs::remove_dir(&place).unwrap();
    for _ in 0..2 {
        cycle(store).await;
    }
    assert!(!has(store, "a"));
}

#[tokio::test]
async fn a_dry_cycle_leaves_staging_as_it_is() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let left = store.within("staging").join("left");
    std::fs::create_dir(&left).unwrap();
    let dry = Options {
        dry: true,
        ..at_once()
    };
    collect(store, dry).await.unwrap();
    assert!(left.exists());
    cycle(store).await;
    assert!(!left.exists());
}

#[tokio::test]
async fn what_is_held_outlives_the_upgrade_to_a_collected_store() {
    let fixture = Fixture::sqlite().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "gone", "gone");
    let (number, _) = push(&fixture, digits, &folder).await;
    std::fs::remove_file(folder.join("gone")).unwrap();
    write(&folder, "kept", "kept");
    push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    let place = fixture.dir.path();
    let url = Db::sqlite_url(&place.join("old.db")).unwrap();
    let from = place.join("cairn.db");
    // What an older version would have recorded.
    let text = format!(
        "PRAGMA foreign_keys = OFF; ATTACH '{}' AS now; \
         INSERT INTO main.users SELECT * FROM now.users; INSERT INTO main.projects SELECT * FROM now.projects; \
         INSERT INTO main.datasets SELECT * FROM now.datasets; INSERT INTO main.dataset_versions SELECT * FROM now.dataset_versions; \
         INSERT INTO main.objects (hash, size, state, created_ms) SELECT hash, size, 'live', created_ms FROM now.objects; \
         INSERT INTO main.project_objects SELECT * FROM now.project_objects; \
         INSERT INTO main.manifest_roots (digest, content_digest, files, bytes, symlinks, created_ms) \
         SELECT digest, content_digest, files, bytes, symlinks, created_ms FROM now.manifest_roots",
        from.display()
    );
    migrated(&url, 9, text).await;
    std::fs::remove_file(store.within("database")).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    let store = Store::open(&place.join("store"), db).await.unwrap();
    assert_eq!(cycle(&store).await.swept.count, 0);
    assert!(has(&store, "gone") && has(&store, "kept"));
    for _ in 0..2 {
        cycle(&store).await;
    }
    assert!(!has(&store, "gone") && has(&store, "kept"));
    assert_sound(&store).await;
}
