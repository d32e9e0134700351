//! What is kept, what goes and when.

use super::*;
use crate::clock::{Clock as _, Fixed};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_taken_back_goes_after_two_cycles_and_shares_nothing_away() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "shared", "shared");
    write(&folder, "old", "old");
    let (first, digest) = push(&fixture, digits, &folder).await;
    std::fs::remove_file(folder.join("old")).unwrap();
    write(&folder, "new", "new");
    push(&fixture, digits, &folder).await;
    assert_eq!(cycle(store).await.condemned.count, 0, "all is held");
    retract(&fixture, digits, first).await;
    let dry = Options {
        dry: true,
        ..at_once()
    };
    let would = collect(store, dry).await.unwrap();
    assert_eq!(would.condemned.count, 3, "an object, a leaf and a root");
    assert_eq!(would.faded[0].held_by.as_deref(), Some("vision/digits:1"));
    let done = cycle(store).await;
    assert_eq!((done.condemned, done.age), (would.condemned, would.age));
    assert!(has(store, "old"), "a second thought is possible");
    let done = cycle(store).await;
    assert_eq!(done.swept.count, 3);
    assert!(!has(store, "old") && has(store, "shared") && has(store, "new"));
    assert!(manifest::summary(store, digest).await.unwrap().is_none());
    assert_eq!(count(store.db(), "SELECT COUNT(*) FROM objects").await, 2);
    assert_eq!(count(store.db(), "SELECT COUNT(*) FROM condemned").await, 0);
    assert_sound(store).await;
    assert_eq!(cycle(store).await, Report::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_again_before_it_goes_stays() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, _) = push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    cycle(store).await;
    let (_, digest) = push(&fixture, digits, &folder).await;
    assert_eq!(count(store.db(), "SELECT COUNT(*) FROM condemned").await, 0);
    for _ in 0..3 {
        assert_eq!(cycle(store).await.swept.count, 0);
    }
    assert!(manifest::file(store, digest, "a").await.unwrap().is_some());
    assert_sound(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_under_way_keeps_what_it_met_through_any_number_of_cycles() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, digest) = push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    cycle(store).await;
    let pending = outputs::capture(store, fixture.project, &folder)
        .await
        .unwrap();
    for _ in 0..3 {
        assert_eq!(cycle(store).await.swept.count, 0);
    }
    add_version(store, &fixture, digits, pending).await;
    assert_sound(store).await;
    assert!(manifest::file(store, digest, "a").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_of_a_version_outlives_its_being_taken_back_meanwhile() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, digest) = push(&fixture, digits, &folder).await;
    let part = Part {
        to: Some("below".to_owned()),
        ..Part::whole(digest)
    };
    let pending = compose(store, fixture.project, vec![part.clone()], Clash::Refuse)
        .await
        .unwrap();
    retract(&fixture, digits, number).await;
    for _ in 0..3 {
        cycle(store).await;
    }
    add_version(store, &fixture, digits, pending).await;
    assert_sound(store).await;
    for _ in 0..2 {
        cycle(store).await;
    }
    let late = compose(store, fixture.project, vec![part], Clash::Refuse).await;
    assert!(matches!(late, Err(Error::NotFound(_))), "{late:?}");
    assert!(has(store, "a"));
    assert_sound(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stat_index_is_not_believed_once_its_manifest_is_gone() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    write(&folder, "a", "a");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(folder.join("a"))
        .unwrap();
    file.set_modified(old).unwrap();
    // Until the index believes the file: its status changed just now.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let options = || crate::snapshot::Options::new(fixture.project).index("ws");
    let pending = crate::snapshot::take(store, &folder, options())
        .await
        .unwrap();
    pending.commit(store).await.unwrap();
    for _ in 0..2 {
        cycle(store).await;
    }
    assert!(!has(store, "a"), "no record holds the snapshot");
    let pending = crate::snapshot::take(store, &folder, options())
        .await
        .unwrap();
    let new = pending
        .captured()
        .snapshot(fixture.project, fixture.user, None);
    let (pending_ref, new) = (&pending, &new);
    let work = |mut tx: Tx| async move {
        pending_ref.record(&mut tx).await?;
        snapshots::create(&mut tx, new).await
    };
    store.db().write(work).await.unwrap();
    assert!(has(store, "a"));
    assert_sound(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_before_the_interval_has_passed() {
    let fixture = Fixture::sqlite().await;
    let clock = Fixed::at(1_000_000);
    let url = Db::sqlite_url(&fixture.dir.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, Arc::new(clock.clone())).await.unwrap();
    let place = fixture.dir.path().join("store");
    let store = Store::open(&place, db).await.unwrap();
    drop(store.put(b"left by a crash".to_vec()).await.unwrap());
    let day = || Options::default();
    assert!(is_due(store.db(), 86_400_000).await.unwrap());
    assert_eq!(collect(&store, day()).await.unwrap().unrecorded.count, 1);
    assert!(!is_due(store.db(), 86_400_000).await.unwrap());
    clock.advance(86_399_000);
    assert_eq!(collect(&store, day()).await.unwrap().waiting.count, 1);
    clock.advance(1_000);
    assert_eq!(collect(&store, day()).await.unwrap().swept.count, 1);
    assert!(!has(&store, "left by a crash"));
    clock.set(0);
    assert!(
        is_due(store.db(), 86_400_000).await.unwrap(),
        "{}",
        clock.now_ms()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_holds_what_need_not_be_sent() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, _) = push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    cycle(store).await;
    let upload = uploads::create(
        store,
        fixture.project,
        fixture.user,
        uploads::Kind::Outputs,
        None,
    )
    .await
    .unwrap();
    let entry = uploads::Declared::file("b", Hash::of(b"a"), 1);
    assert!(
        uploads::declare(store, upload.id, &[entry])
            .await
            .unwrap()
            .is_empty()
    );
    for _ in 0..3 {
        cycle(store).await;
    }
    let sealed = uploads::seal(store, upload.id).await.unwrap();
    for _ in 0..3 {
        cycle(store).await;
    }
    assert!(has(store, "a"), "until it expires, what it became is held");
    assert_sound(store).await;
    let work = |mut tx: Tx| async move {
        execute(&mut tx, sql("UPDATE uploads SET expires_ms = 0")).await
    };
    store.db().write(work).await.unwrap();
    for _ in 0..2 {
        cycle(store).await;
    }
    assert!(!has(store, "a"));
    let digest = sealed.captured.summary.manifest_digest;
    assert!(manifest::summary(store, digest).await.unwrap().is_none());
    let lost = store
        .db()
        .write(|mut tx| async move { crate::objects::hold(&mut tx, &digest.to_hex()).await });
    assert!(matches!(lost.await, Err(Error::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_manifest_and_the_tree_a_run_sees_are_kept() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (number, digest) = push(&fixture, digits, &folder).await;
    let tree = crate::materialise::farm(store, digest, crate::materialise::Link::Hard)
        .await
        .unwrap();
    retract(&fixture, digits, number).await;
    let shown = store.within("mnt").join(digest.to_hex());
    std::fs::create_dir_all(&shown).unwrap();
    for _ in 0..3 {
        assert_eq!(cycle(store).await.swept.count, 0);
    }
    std::fs::remove_dir(shown).unwrap();
    let seen = || Options {
        seen: Some(HashSet::from([digest])),
        ..at_once()
    };
    for _ in 0..2 {
        collect(store, seen()).await.unwrap();
    }
    assert!(has(store, "a") && tree.is_dir(), "a run sees it");
    let gone: u64 = [cycle(store).await, cycle(store).await]
        .iter()
        .map(|report| report.leftovers.count)
        .sum();
    assert!(!has(store, "a"));
    // Where other servers may be, what their runs see is not known.
    let shared = store.db().is_shared();
    assert_eq!((gone, tree.exists()), (u64::from(!shared), shared));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_held_manifest_cannot_be_read_nothing_goes() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let digits = dataset(&fixture, "digits").await;
    write(&folder, "a", "a");
    let (_, digest) = push(&fixture, digits, &folder).await;
    drop(store.put(b"garbage".to_vec()).await.unwrap());
    let hex = digest.to_hex();
    let place = store.within("manifests").join(&hex[..2]).join(&hex[2..]);
    let kept = std::fs::read(&place).unwrap();
    std::fs::remove_file(&place).unwrap();
    for _ in 0..3 {
        let report = cycle(store).await;
        assert_eq!((report.unreadable, report.swept.count), (vec![digest], 0));
    }
    assert!(has(store, "garbage") && has(store, "a"));
    std::fs::write(&place, kept).unwrap();
    for _ in 0..2 {
        cycle(store).await;
    }
    assert!(!has(store, "garbage") && has(store, "a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_objects_go_when_they_are_old() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let folder = store.within("damaged");
    std::fs::create_dir(&folder).unwrap();
    let place = folder.join(Hash::of(b"x").to_hex());
    std::fs::write(&place, "y").unwrap();
    let patient = || Options {
        damaged_ms: 1_000_000,
        ..at_once()
    };
    for _ in 0..2 {
        assert_eq!(
            collect(store, patient()).await.unwrap().damaged_kept.count,
            1
        );
    }
    assert_eq!(cycle(store).await.damaged_removed.count, 1);
    assert!(!place.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cycle_at_a_time_and_one_that_was_killed_is_told() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let running = begin(store, at_once()).await.unwrap();
    assert!(matches!(
        begin(store, at_once()).await,
        Err(Error::Conflict(_))
    ));
    let number = running.number();
    drop(running);
    cycle(store).await;
    let killed = get(store.db(), number).await.unwrap().unwrap();
    assert_eq!(killed.state, State::Failed);
    let page = crate::Page::first(10);
    let newest = &list(store.db(), &page).await.unwrap().items[0];
    assert_eq!((newest.number, newest.state), (number + 1, State::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_works_on_the_store_nothing_is_swept() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    drop(store.put(b"garbage".to_vec()).await.unwrap());
    cycle(store).await;
    let other = fixture.reopen().await;
    let claim = other.claim().await.unwrap();
    let report = cycle(store).await;
    assert!(report.shared && report.swept.count == 0);
    drop(claim);
    assert_eq!(cycle(store).await.swept.count, 1);
}

/// Whoever adds a column that names an object or a manifest must say whether it holds what it names.
#[tokio::test(flavor = "multi_thread")]
async fn every_column_with_a_hash_is_a_holder_or_said_to_be_none() {
    let fixture = Fixture::sqlite().await;
    let db = fixture.store.db();
    let text = "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND (c.name LIKE '%hash%' OR c.name LIKE '%digest%' OR c.name LIKE '%manifest%' OR c.name LIKE '%object%') \
         ORDER BY 1";
    let found: Vec<String> = all(db, sql(text)).await.unwrap();
    let holders = holders::MANIFESTS.iter().chain(holders::OBJECTS);
    let mut known: Vec<String> = holders
        .map(|one| format!("{}.{}", one.table, one.column))
        .collect();
    known.extend(
        holders::OTHERS
            .iter()
            .map(|(table, column, _)| format!("{table}.{column}")),
    );
    known.sort_unstable();
    assert_eq!(found, known, "see gc/holders.rs");
}
