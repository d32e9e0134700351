//! Which store belongs to which database.

use super::*;
use crate::clock::System;

/// Another database beside the fixture's store.
async fn beside(fixture: &Fixture, name: &str) -> Store {
    let url = Db::sqlite_url(&fixture.dir.path().join(name)).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    Store::open(&fixture.dir.path().join("store"), db)
        .await
        .unwrap()
}

async fn refused(store: &Store, why: &str) {
    for dry in [true, false] {
        let options = Options { dry, ..at_once() };
        match collect(store, options).await {
            Err(Error::Conflict(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{other:?}"),
        }
    }
}

async fn forget_tie(store: &Store) {
    let work = |mut tx: Tx| async move { execute(&mut tx, sql("DELETE FROM own_store")).await };
    store.db().write(work).await.unwrap();
    std::fs::remove_file(store.within("database")).unwrap();
}

async fn pushed() -> Fixture {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    push(&fixture, digits, &folder).await;
    fixture
}

#[tokio::test]
async fn another_database_collects_nothing_of_a_store() {
    let fixture = pushed().await;
    let fresh = beside(&fixture, "fresh.db").await;
    refused(&fresh, "the store is of another database").await;
    let again = beside(&fixture, "fresh.db").await;
    refused(&again, "the store is of another database").await;
    cycle(&fixture.reopen().await).await;
    assert!(has(&fresh, "a"));
}

#[tokio::test]
async fn a_database_collects_nothing_of_another_store() {
    let fixture = pushed().await;
    let other = fixture.dir.path().join("other");
    let other = Store::open(&other, fixture.store.db().clone())
        .await
        .unwrap();
    refused(&other, "the database is of another store").await;
    cycle(&fixture.store).await;
}

#[tokio::test]
async fn a_store_and_a_database_from_before_find_each_other_and_an_empty_one_does_not() {
    let fixture = pushed().await;
    forget_tie(&fixture.store).await;
    let fresh = beside(&fixture, "fresh.db").await;
    refused(&fresh, "when they were first opened together").await;
    // Also when it knows something of what is there by now.
    drop(fresh.put(b"new".to_vec()).await.unwrap());
    let record = |mut tx: Tx| async move {
        let text = "INSERT INTO objects (hash, size, created_ms) VALUES ($1, 3, 1)";
        execute(&mut tx, sql(text).bind(Hash::of(b"new").to_hex())).await
    };
    fresh.db().write(record).await.unwrap();
    let fresh = beside(&fixture, "fresh.db").await;
    refused(&fresh, "when they were first opened together").await;
    refused(&fixture.store, "when they were first opened together").await;
    let own = fixture.reopen().await;
    cycle(&own).await;
    assert!(has(&own, "a"));
    refused(&fresh, "the store is of another database").await;
    // What is on record and not there is a sign of another store.
    forget_tie(&own).await;
    std::fs::remove_file(own.objects().path(&Hash::of(b"a")).unwrap()).unwrap();
    refused(
        &fixture.reopen().await,
        "when they were first opened together",
    )
    .await;
}

#[tokio::test]
async fn an_operator_can_say_that_they_belong_together() {
    let fixture = pushed().await;
    let fresh = beside(&fixture, "fresh.db").await;
    let adopt = fresh.within("adopt");
    refused(&fresh, adopt.to_str().unwrap()).await;
    std::fs::write(&adopt, "").unwrap();
    let fresh = beside(&fixture, "fresh.db").await;
    assert!(!adopt.exists());
    cycle(&fresh).await;
    refused(&fixture.store, "the store is of another database").await;
    cycle(&beside(&fixture, "fresh.db").await).await;
}
