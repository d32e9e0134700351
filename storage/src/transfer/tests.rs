//! Two stores, and what passes between them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::*;
use crate::Db;
use crate::clock::System;
use crate::{materialise, outputs, projects, users};

struct Side {
    folder: tempfile::TempDir,
    store: Store,
    project: ProjectId,
}

async fn side() -> Side {
    let folder = tempfile::tempdir().unwrap();
    let url = Db::sqlite_url(&folder.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, Arc::new(System)).await.unwrap();
    let store = Store::open(&folder.path().join("store"), db.clone())
        .await
        .unwrap();
    let new = &users::NewUser {
        name: "ada".to_owned(),
        display_name: String::new(),
        admin: false,
    };
    let made = db.write(move |mut tx| async move {
        let user = users::create(&mut tx, new).await?;
        projects::create(&mut tx, "vision", "", user.id).await
    });
    let project = made.await.unwrap().id;
    Side {
        folder,
        store,
        project,
    }
}

async fn captured(side: &Side) -> Pending {
    let work = side.folder.path().join("work");
    std::fs::create_dir_all(work.join("deep/er")).unwrap();
    std::fs::write(work.join("a"), "a").unwrap();
    std::fs::write(work.join("empty"), "").unwrap();
    std::fs::write(work.join("deep/er/b"), vec![7; 1_000_000]).unwrap();
    outputs::capture(&side.store, side.project, &work)
        .await
        .unwrap()
}

async fn frames(store: &Store, items: Vec<Item>) -> Vec<Bytes> {
    send(store, items).try_collect().await.unwrap()
}

fn body(frames: Vec<Bytes>) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::iter(frames).map(Ok)
}

fn text(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn what_was_captured_on_one_side_is_recorded_and_laid_out_on_the_other() {
    let (worker, server) = (side().await, side().await);
    let pending = captured(&worker).await;
    let digest = pending.captured().summary.manifest_digest;
    let all = contents(&worker.store, digest).await.unwrap();
    assert_eq!(decode(&encode(&all)).unwrap(), all);
    let none = Brought::begin(&server.store).await.unwrap();
    let wants = wanted(&server.store, server.project, all.clone(), &none)
        .await
        .unwrap();
    assert_eq!(wants, all);
    let received = receive(&server.store, body(frames(&worker.store, wants).await))
        .await
        .unwrap();
    let adopted = adopt(
        &server.store,
        server.project,
        pending.captured().clone(),
        received,
    );
    let kept = adopted.await.unwrap().commit(&server.store).await.unwrap();
    assert_eq!(&kept, pending.captured());
    let again = wanted(&server.store, server.project, all.clone(), &none)
        .await
        .unwrap();
    assert_eq!(again, [], "the project holds it now");
    assert_eq!(lacking(&server.store, all).await.unwrap(), []);
    let out = server.folder.path().join("out");
    materialise::copy_to(&server.store, digest, &out, None)
        .await
        .unwrap();
    assert_eq!(text(&out.join("deep/er/b")), vec![7; 1_000_000]);
    assert_eq!(text(&out.join("empty")), b"");
}

#[tokio::test]
async fn a_hash_is_no_capability() {
    let (worker, server) = (side().await, side().await);
    let pending = captured(&worker).await;
    let all = contents(&worker.store, pending.captured().summary.manifest_digest)
        .await
        .unwrap();
    // The store has it, as some other project's.
    let frames = frames(&worker.store, all.clone()).await;
    drop(receive(&server.store, body(frames)).await.unwrap());
    let none = Brought::begin(&server.store).await.unwrap();
    let wants = wanted(&server.store, server.project, all, &none)
        .await
        .unwrap();
    assert_eq!(wants.len(), 3, "every object, and no node");
    let adopted = adopt(
        &server.store,
        server.project,
        pending.captured().clone(),
        none,
    );
    assert!(matches!(adopted.await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn what_is_cut_short_or_false_leaves_nothing() {
    let (worker, server) = (side().await, side().await);
    let pending = captured(&worker).await;
    let all = contents(&worker.store, pending.captured().summary.manifest_digest)
        .await
        .unwrap();
    let whole = frames(&worker.store, all.clone()).await.concat();
    let mut other = whole.clone();
    let last = other.len() - 2;
    other[last] ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    for bad in [cut, other, b"\x07".to_vec(), Vec::new()] {
        let came = receive(&server.store, body(vec![Bytes::from(bad)])).await;
        assert!(matches!(came, Err(Error::Invalid(_))), "{came:?}");
    }
    assert_eq!(lacking(&server.store, all.clone()).await.unwrap(), all);
}
