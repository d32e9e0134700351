//! What is kept, what is not, and what becomes of a database whose process died.

use std::sync::Arc;
use std::time::Duration;

use storage::clock::System;
use storage::{Db, Error, jobs, users};

use crate::bed::{Bed, on_both};

on_both!(
    dropped_work_leaves_nothing,
    opening_twice_is_ok,
    committed_work_is_there_after_reopening,
    lost_database_is_unavailable
);

async fn dropped_work_leaves_nothing(bed: &Bed) {
    let new = &bed.ready().await;
    let (inside, reached) = tokio::sync::oneshot::channel();
    let inside = &std::sync::Mutex::new(Some(inside));
    let stuck = bed.db.write(|mut tx| async move {
        jobs::create(&mut tx, new).await?;
        let _told = inside.lock().unwrap().take().unwrap().send(());
        std::future::pending::<()>().await;
        Ok(())
    });
    tokio::select! {
        _ = stuck => unreachable!("it waits for ever"),
        told = reached => told.unwrap(),
    }
    assert_eq!(
        jobs::by_number(&bed.db, new.project_id, 1).await.unwrap(),
        None
    );
    // The connection is free again, and the number was not taken.
    let job = tokio::time::timeout(Duration::from_secs(10), bed.submit(new))
        .await
        .unwrap();
    assert_eq!(job.number, 1);
}

async fn opening_twice_is_ok(bed: &Bed) {
    let ada = bed.user("ada").await;
    let other = bed.again().await;
    assert_eq!(users::get(&other, ada.id).await.unwrap(), Some(ada));
    other.close().await;
}

async fn committed_work_is_there_after_reopening(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    bed.db.close().await;
    let again = bed.again().await;
    assert_eq!(jobs::get(&again, job.id).await.unwrap(), Some(job));
    again.ping().await.unwrap();
    again.close().await;
}

async fn lost_database_is_unavailable(bed: &Bed) {
    bed.db.close().await;
    let error = bed.db.ping().await.unwrap_err();
    assert!(
        error.retryable() && matches!(error, Error::Unavailable { .. }),
        "{error:?}"
    );
    let error = users::first_admin(&bed.db).await.unwrap_err();
    assert!(error.retryable());
}

/// The files as a killed process leaves them: commits are in the write-ahead log only, and one transaction is half-way.
#[tokio::test]
async fn killed_process_keeps_its_commits() {
    let folder = tempfile::tempdir().unwrap();
    let url = Db::sqlite_url(&folder.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    let new = |name: &str| users::NewUser {
        name: name.to_owned(),
        ..users::NewUser::default()
    };
    let (kept, lost) = (&new("kept"), &new("lost"));
    db.write(|mut tx| async move { users::create(&mut tx, kept).await })
        .await
        .unwrap();
    let killed = folder.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    let (from, to) = (folder.path(), killed.as_path());
    db.write(|mut tx| async move {
        users::create(&mut tx, lost).await?;
        for name in ["cairn.db", "cairn.db-wal"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
        Ok(())
    })
    .await
    .unwrap();
    let again = Db::open(
        &Db::sqlite_url(&killed.join("cairn.db")).unwrap(),
        Arc::new(System),
    )
    .await
    .unwrap();
    assert!(users::by_name(&again, "kept").await.unwrap().is_some());
    assert!(users::by_name(&again, "lost").await.unwrap().is_none());
}

#[tokio::test]
async fn unreachable_and_unknown_databases_are_told_apart() {
    let open = async |url: &str| Db::open(url, System::shared()).await.unwrap_err();
    assert!(matches!(
        open("mysql://localhost/x").await,
        Error::Invalid(_)
    ));
    assert!(matches!(
        open("postgres://nobody@127.0.0.1:1/none").await,
        Error::Unavailable { .. }
    ));
    assert!(matches!(
        open("sqlite:///no/such/folder/cairn.db").await,
        Error::Unavailable { .. }
    ));
}
