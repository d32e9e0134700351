//! The steps of starts and moves.

use storage::ids::WorkspaceId;
use storage::phases::{self, Phase};

use crate::bed::{Bed, NOW_MS, on_both, written};

on_both!(steps_follow_each_other, what_is_usual_is_the_median,);

async fn one(bed: &Bed) -> WorkspaceId {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    bed.workspace(project, ada.id, "lab").await.id
}

async fn enter(bed: &Bed, id: WorkspaceId, generation: i64, phase: Phase) {
    written!(bed, |tx| phases::enter(&mut tx, id, generation, phase)).unwrap();
}

async fn steps_follow_each_other(bed: &Bed) {
    let id = one(bed).await;
    enter(bed, id, 1, Phase::Saving).await;
    bed.clock.advance(100);
    enter(bed, id, 1, Phase::Saving).await;
    bed.clock.advance(100);
    enter(bed, id, 1, Phase::Moving).await;
    bed.clock.advance(50);
    written!(bed, |tx| phases::leave(&mut tx, id)).unwrap();
    let seen = phases::of(&bed.db, id, 1).await.unwrap();
    let seen: Vec<_> = (seen.iter())
        .map(|begun| {
            let ended_ms = begun.ended_ms.map(|ms| ms - NOW_MS);
            (begun.phase, begun.started_ms - NOW_MS, ended_ms)
        })
        .collect();
    let expected = [
        (Phase::Saving, 0, Some(200)),
        (Phase::Moving, 200, Some(250)),
    ];
    assert_eq!(seen, expected);
    assert!(phases::of(&bed.db, id, 2).await.unwrap().is_empty());
}

async fn what_is_usual_is_the_median(bed: &Bed) {
    let id = one(bed).await;
    let usual = async || {
        phases::usual_ms(&bed.db, id, Phase::Starting)
            .await
            .unwrap()
    };
    assert_eq!(usual().await, None);
    for (generation, ms) in [(1, 100), (2, 9000), (3, 300)] {
        enter(bed, id, generation, Phase::Starting).await;
        bed.clock.advance(ms);
        written!(bed, |tx| phases::leave(&mut tx, id)).unwrap();
    }
    assert_eq!(usual().await, Some(300));
    enter(bed, id, 40, Phase::Starting).await;
    assert_eq!(usual().await, None, "what is long ago is forgotten");
}
