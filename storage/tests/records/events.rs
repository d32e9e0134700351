//! Events: their numbers, who sees them, and the wake-up.

use std::time::Duration;

use serde_json::json;
use storage::events::{self, Kind};
use storage::members::{self, Role};
use storage::{Error, Page, audit, expiry, jobs};

use crate::bed::{Bed, on_both, written};

on_both!(
    numbers_have_no_gaps_under_concurrency,
    undone_work_makes_no_event,
    people_see_what_concerns_them,
    hidden_events_do_not_block_the_line,
    writer_wakes_followers,
    other_process_wakes_followers,
    old_events_go_from_the_front,
    audit_is_newest_first,
);

async fn numbers_have_no_gaps_under_concurrency(bed: &Bed) {
    let new = bed.ready().await;
    let start = events::newest(&bed.db).await.unwrap();
    let writers = (0..8).map(|writer| {
        let (db, new) = (bed.db.clone(), new.clone());
        tokio::spawn(async move {
            let new = &new;
            for round in 0..10 {
                let done = db.write(|mut tx| async move {
                    jobs::create(&mut tx, new).await?;
                    if (writer + round) % 4 == 0 {
                        Err(Error::conflict("undone"))
                    } else {
                        Ok(())
                    }
                });
                let _undone = done.await;
            }
        })
    });
    let follower = tokio::spawn(follow(bed.db.clone(), start, 60));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let seen = tokio::time::timeout(Duration::from_secs(30), follower)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, (start + 1..=start + 60).collect::<Vec<_>>());
    assert_eq!(events::newest(&bed.db).await.unwrap(), start + 60);
}

/// Follows as an event stream does; a skipped number would show.
async fn follow(db: storage::Db, mut from: i64, count: usize) -> Vec<i64> {
    let mut changed = db.changed();
    let mut seen = Vec::new();
    while seen.len() < count {
        for event in events::after(&db, from, 7).await.unwrap() {
            from = event.number;
            seen.push(event.number);
        }
        if *changed.borrow_and_update() <= from && seen.len() < count {
            changed.changed().await.unwrap();
        }
    }
    seen
}

async fn undone_work_makes_no_event(bed: &Bed) {
    let new = &bed.ready().await;
    let start = events::newest(&bed.db).await.unwrap();
    let undone = bed.db.write(|mut tx| async move {
        jobs::create(&mut tx, new).await?;
        Err::<(), _>(Error::conflict("undone"))
    });
    assert!(undone.await.is_err());
    assert_eq!(events::newest(&bed.db).await.unwrap(), start);
    assert!(events::after(&bed.db, start, 10).await.unwrap().is_empty());
}

async fn people_see_what_concerns_them(bed: &Bed) {
    let new = bed.ready().await;
    let bob = bed.user("bob").await;
    let start = events::newest(&bed.db).await.unwrap();
    let job = bed.submit(&new).await;
    let seen = events::visible_after(&bed.db, new.user_id, start, 100)
        .await
        .unwrap();
    assert_eq!(
        seen.events
            .iter()
            .map(|e| (e.kind, e.subject.clone()))
            .collect::<Vec<_>>(),
        [(Kind::JobChanged, job.id.to_string())]
    );
    assert_eq!(seen.events[0].project_id, Some(new.project_id));
    assert!(
        events::visible_after(&bed.db, bob.id, start, 100)
            .await
            .unwrap()
            .events
            .is_empty()
    );
    written!(bed, |tx| members::put(
        &mut tx,
        new.project_id,
        bob.id,
        Role::Viewer
    ))
    .unwrap();
    assert_eq!(
        events::visible_after(&bed.db, bob.id, start, 100)
            .await
            .unwrap()
            .events
            .len(),
        2
    );
    written!(bed, |tx| members::remove(&mut tx, new.project_id, bob.id)).unwrap();
    // Only what names him: that he came and went.
    assert_eq!(
        events::visible_after(&bed.db, bob.id, start, 100)
            .await
            .unwrap()
            .events
            .len(),
        2
    );
}

async fn hidden_events_do_not_block_the_line(bed: &Bed) {
    let new = bed.ready().await;
    let bob = bed.user("bob").await;
    let start = events::newest(&bed.db).await.unwrap();
    for _ in 0..5 {
        bed.submit(&new).await;
    }
    let seen = events::visible_after(&bed.db, bob.id, start, 3)
        .await
        .unwrap();
    assert_eq!((seen.events.len(), seen.upto), (0, start + 3));
    let seen = events::visible_after(&bed.db, bob.id, seen.upto, 3)
        .await
        .unwrap();
    assert_eq!(seen.upto, start + 5);
    assert_eq!(
        events::visible_after(&bed.db, bob.id, seen.upto, 3)
            .await
            .unwrap()
            .upto,
        start + 5
    );
}

async fn writer_wakes_followers(bed: &Bed) {
    let mut changed = bed.db.changed();
    changed.borrow_and_update();
    bed.user("ada").await;
    assert!(changed.has_changed().unwrap());
    let newest = events::newest(&bed.db).await.unwrap();
    assert_eq!(*changed.borrow(), newest);
}

async fn other_process_wakes_followers(bed: &Bed) {
    let other = bed.again().await;
    let mut changed = other.changed();
    changed.borrow_and_update();
    bed.user("ada").await;
    tokio::time::timeout(Duration::from_secs(10), changed.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*changed.borrow(), 1);
    other.close().await;
}

async fn old_events_go_from_the_front(bed: &Bed) {
    assert!(events::kept_after(&bed.db, 0).await.unwrap());
    bed.user("a").await;
    bed.user("b").await;
    bed.clock.advance(1000);
    bed.user("c").await;
    assert!(events::kept_after(&bed.db, 0).await.unwrap());
    assert!(
        !events::kept_after(&bed.db, 4).await.unwrap(),
        "a number from the future"
    );
    assert_eq!(expiry::remove(&bed.db, 500).await.unwrap().events, 2);
    assert!(!events::kept_after(&bed.db, 0).await.unwrap());
    assert!(events::kept_after(&bed.db, 2).await.unwrap());
    bed.clock.advance(1_000_000);
    assert_eq!(
        expiry::remove(&bed.db, 500).await.unwrap().events,
        0,
        "the newest stays"
    );
    assert_eq!(
        events::after(&bed.db, 0, 10)
            .await
            .unwrap()
            .iter()
            .map(|e| e.number)
            .collect::<Vec<_>>(),
        [3]
    );
}

async fn audit_is_newest_first(bed: &Bed) {
    let ada = bed.user("ada").await;
    for action in ["create_user", "disable_user"] {
        let detail = &json!({"by": "test"});
        written!(bed, |tx| audit::record(
            &mut tx,
            Some(ada.id),
            action,
            "bob",
            detail
        ))
        .unwrap();
        bed.clock.advance(1);
    }
    let list = audit::list(&bed.db, &Page::first(1)).await.unwrap();
    assert_eq!(
        (
            list.items[0].action.as_str(),
            list.items[0].user_id,
            list.next.is_some()
        ),
        ("disable_user", Some(ada.id), true)
    );
}
