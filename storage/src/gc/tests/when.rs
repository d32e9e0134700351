//! When a cycle is due, and what is said of those that failed or were killed.

use std::sync::Arc;

use super::*;
use crate::clock::Fixed;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The fixture's store with a clock that stands still.
async fn with_clock(fixture: &Fixture) -> (Store, Fixed) {
    let clock = Fixed::at(1_000_000_000);
    let url = Db::sqlite_url(&fixture.dir.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, Arc::new(clock.clone())).await.unwrap();
    let place = fixture.dir.path().join("store");
    (Store::open(&place, db).await.unwrap(), clock)
}

async fn states(store: &Store) -> Vec<(i64, State)> {
    let page = crate::Page::first(10);
    let found = list(store.db(), &page).await.unwrap().items;
    found.iter().map(|one| (one.number, one.state)).collect()
}

#[tokio::test]
async fn a_cycle_that_fails_is_tried_again_after_an_hour() {
    let fixture = Fixture::sqlite().await;
    let (store, clock) = with_clock(&fixture).await;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    let (_, digest) = push(&fixture, digits, &folder).await;
    let hex = digest.to_hex();
    let place = store.within("manifests").join(&hex[..2]).join(&hex[2..]);
    let kept = std::fs::read(&place).unwrap();
    std::fs::remove_file(&place).unwrap();
    assert!(is_due(store.db(), DAY_MS).await.unwrap());
    assert_eq!(cycle(&store).await.unreadable, [digest]);
    assert_eq!(states(&store).await, [(1, State::Failed)]);
    clock.advance(HOUR_MS - 1);
    assert!(!is_due(store.db(), DAY_MS).await.unwrap());
    assert!(is_due(store.db(), 1000).await.unwrap());
    clock.advance(1);
    assert!(is_due(store.db(), DAY_MS).await.unwrap());
    std::fs::write(&place, kept).unwrap();
    cycle(&store).await;
    clock.advance(DAY_MS - 1);
    assert!(!is_due(store.db(), DAY_MS).await.unwrap());
    clock.advance(1);
    assert!(is_due(store.db(), DAY_MS).await.unwrap());
}

#[tokio::test]
async fn a_cycle_that_was_killed_is_on_record_as_failed() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let killed = |mode: &'static str| async move {
        let text = "SELECT COUNT(*) FROM audit WHERE action = 'collect' AND subject = $1";
        required::<i64>(store.db(), sql(text).bind(mode))
            .await
            .unwrap()
    };
    let running = begin(store, at_once()).await.unwrap();
    end_killed(store).await.unwrap();
    assert_eq!(states(store).await, [(1, State::Running)]);
    drop(running);
    for _ in 0..2 {
        end_killed(store).await.unwrap();
        assert_eq!(states(store).await, [(1, State::Failed)]);
        assert_eq!(killed("1").await, 1);
    }
    let dry = Options {
        dry: true,
        ..at_once()
    };
    drop(begin(store, dry).await.unwrap());
    end_killed(store).await.unwrap();
    assert_eq!(states(store).await[0], (2, State::Failed));
    assert_eq!(killed("2").await, 0, "it only looked");
}

#[tokio::test]
async fn a_cycle_that_is_told_to_stop_does_and_says_so() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    push(&fixture, digits, &folder).await;
    let begun = begin(store, at_once()).await.unwrap();
    begun.stop().now();
    let stopped = begun.run().await;
    assert!(matches!(stopped, Err(Error::Conflict(_))), "{stopped:?}");
    assert_eq!(states(store).await, [(1, State::Failed)]);
    let failed = get(store.db(), 1).await.unwrap().unwrap();
    assert_eq!(failed.report.unwrap().unreadable, []);
}

#[tokio::test]
async fn old_cycles_are_forgotten() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for _ in 0..2 {
        cycle(store).await;
    }
    let work = |mut tx: Tx| async move {
        let text = "UPDATE collections SET number = 1001 WHERE number = 2";
        execute(&mut tx, sql(text)).await
    };
    store.db().write(work).await.unwrap();
    cycle(store).await;
    let done = |number| (number, State::Done);
    assert_eq!(states(store).await, [done(1002), done(1001)]);
}
