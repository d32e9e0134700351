//! The store in a bucket, on the servers that `CAIRN_TEST_S3` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::bucket::tests::servers;
use crate::capture::testing::{Fixture, write};
use crate::db::{Tx, execute, required, sql};
use crate::gc::tests::{assert_sound, cycle, dataset, push, retract};
use crate::materialise;
use crate::objects::{Store, conformance};
use crate::{outputs, snapshots};

mod faults;

async fn each() -> Vec<(&'static str, Fixture, Bucket)> {
    let mut all = Vec::new();
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        all.push((name, Fixture::in_bucket(bucket.clone()).await, bucket));
    }
    all
}

async fn keys(bucket: &Bucket, within: &str) -> BTreeSet<String> {
    let (mut keys, mut listing) = (BTreeSet::new(), bucket.list(within));
    while let Some(page) = listing.next().await.unwrap() {
        keys.extend(page.into_iter().map(|one| one.key));
    }
    keys
}

/// Many small files, one of a size between, and a long one.
fn fill(folder: &Path) {
    for number in 0..300 {
        write(
            folder,
            &format!("small/{:02}/{number}", number % 13),
            format!("content {number}"),
        );
    }
    write(folder, "between", vec![7; 200_000]);
    write(
        folder,
        "long",
        (0..9_500_000_u32)
            .map(|at| (at / 3 % 253) as u8)
            .collect::<Vec<u8>>(),
    );
    write(folder, "empty", "");
}

async fn number(store: &Store, text: &'static str) -> i64 {
    required(store.db(), sql(text)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract() {
    for (_, fixture, _) in each().await {
        let store = fixture.store.clone();
        tokio::task::spawn_blocking(move || conformance::all(&**store.objects()))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_comes_to_a_host_that_has_nothing() {
    for (name, fixture, bucket) in each().await {
        let folder = fixture.folder("work");
        fill(&folder);
        let digits = dataset(&fixture, "digits").await;
        let (_, digest) = push(&fixture, digits, &folder).await;
        let shared = keys(&bucket, "v1/p/").await;
        assert!(
            shared.len() <= 2,
            "{name}: small files share keys: {shared:?}"
        );
        assert!(
            keys(&bucket, "v1/o/").await.len() >= 2,
            "{name}: long ones do not"
        );
        let elsewhere = fixture.open_at("elsewhere").await.unwrap();
        let copy = fixture.dir.path().join("copy");
        materialise::copy_to(&elsewhere, digest, &copy, None)
            .await
            .unwrap();
        for path in ["small/03/3", "between", "long", "empty"] {
            assert!(
                fs::read(copy.join(path)).unwrap() == fs::read(folder.join(path)).unwrap(),
                "{name} {path}"
            );
        }
        assert_eq!(
            walkdir::WalkDir::new(&copy).into_iter().count(),
            walkdir::WalkDir::new(&folder).into_iter().count()
        );
        assert_sound(&elsewhere).await;
        // The same content again costs the bucket nothing.
        let before = keys(&bucket, "v1/").await;
        let other = dataset(&fixture, "other").await;
        push(&fixture, other, &copy).await;
        assert_eq!(keys(&bucket, "v1/").await, before, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_needs_leaves_the_bucket_later_than_its_rows() {
    for (name, fixture, bucket) in each().await {
        let digits = dataset(&fixture, "digits").await;
        let folder = fixture.folder("work");
        write(&folder, "kept", "kept");
        push(&fixture, digits, &folder).await;
        let kept = keys(&bucket, "v1/").await;
        fill(&folder);
        let (second, _) = push(&fixture, digits, &folder).await;
        retract(&fixture, digits, second).await;
        for _ in 0..4 {
            cycle(&fixture.store).await;
        }
        assert_eq!(keys(&bucket, "v1/").await, kept, "{name}");
        assert_eq!(
            number(
                &fixture.store,
                "SELECT COUNT(*) FROM bucket_keys WHERE state <> 'live'"
            )
            .await,
            0,
            "{name}"
        );
        assert_sound(&fixture.store).await;
        // And it can come again.
        push(&fixture, digits, &folder).await;
        assert_sound(&fixture.store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recorded_of_what_another_host_has_collected() {
    for (name, fixture, _) in each().await {
        let folder = fixture.folder("work");
        write(&folder, "file", "content");
        let pending = outputs::capture(&fixture.store, fixture.project, &folder)
            .await
            .unwrap();
        let key = (Space::Objects, Hash::of(b"content"));
        let work = |mut tx: Tx| async move { displace(&mut tx, &[key]).await };
        fixture.store.db().write(work).await.unwrap();
        let new = pending
            .captured()
            .snapshot(fixture.project, fixture.user, None);
        let (record, new) = (&pending, &new);
        let work = |mut tx: Tx| async move {
            record.record(&mut tx).await?;
            snapshots::create(&mut tx, new).await
        };
        let error = fixture.store.db().write(work).await.map(drop).unwrap_err();
        assert!(error.retryable(), "{name}: {error}");
        drop(pending);
        let digits = dataset(&fixture, "digits").await;
        push(&fixture, digits, &folder).await;
        assert_sound(&fixture.store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_given_up_is_not_believed() {
    for (name, fixture, _) in each().await {
        let clock = fixture.store.db().clock().clone();
        let key = (Space::Objects, Hash::of(b"late"));
        let at = places::KeyName::of(key, &*clock);
        let staged = &[(at.clone(), 4)];
        let work = |mut tx: Tx| async move { places::stage(&mut tx, staged).await };
        fixture.store.db().write(work).await.unwrap();
        let long_ago = "UPDATE bucket_keys SET changed_ms = 1 WHERE state = 'staged'";
        let work = |mut tx: Tx| async move { execute(&mut tx, sql(long_ago)).await };
        fixture.store.db().write(work).await.unwrap();
        cycle(&fixture.store).await;
        let (at, parts) = (&at, &[(key, 0, 4)]);
        let work = |mut tx: Tx| async move { places::settle(&mut tx, at, parts).await };
        let error = fixture.store.db().write(work).await.unwrap_err();
        assert!(error.retryable(), "{name}: {error}");
        assert_eq!(
            number(
                &fixture.store,
                "SELECT COUNT(*) FROM bucket_places WHERE start = 0 AND bytes = 4"
            )
            .await,
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_kind_of_store_are_not_opened_with_the_other() {
    for (name, fixture, bucket) in each().await {
        let folder = fixture.folder("work");
        write(&folder, "file", "content");
        let digits = dataset(&fixture, "digits").await;
        push(&fixture, digits, &folder).await;
        let without = Store::open(
            &fixture.dir.path().join("files"),
            fixture.store.db().clone(),
        )
        .await;
        let error = without.map(drop).unwrap_err().to_string();
        assert!(error.contains("kept in a bucket"), "{name}: {error}");
        if std::env::var("CAIRN_TEST_OBJECTS").is_ok() {
            continue;
        }
        let of_files = Fixture::new().await;
        let folder = of_files.folder("work");
        write(&folder, "file", "content");
        let digits = dataset(&of_files, "digits").await;
        push(&of_files, digits, &folder).await;
        let with = Store::open_in(
            &of_files.dir.path().join("store"),
            of_files.store.db().clone(),
            Some(bucket),
        )
        .await;
        let error = with.map(drop).unwrap_err().to_string();
        assert!(error.contains("kept in files"), "{name}: {error}");
    }
}
