//! Series and metadata.

use serde_json::json;
use storage::attempts::{self, Attempt};
use storage::jobs;
use storage::series::{self, Appended, Batch, Point};

use crate::bed::{Bed, ending, on_both, written};

on_both!(
    batches_add_up,
    batch_counts_once,
    racing_readers_of_one_log_record_it_once,
    finished_attempt_adds_nothing,
    spikes_survive_thinning,
    too_many_keys_are_left_out,
    strange_numbers_survive
);

const RECORDED: Appended = Appended::Recorded { keys_left_out: 0 };

async fn live(bed: &Bed) -> Attempt {
    let new = bed.ready().await;
    let id = bed.submit(&new).await.id;
    written!(bed, |tx| jobs::claim_job(&mut tx, id))
        .unwrap()
        .unwrap()
        .1
}

/// A batch of `count` points of `loss` that begins at `from`; each line is one byte long.
fn batch(from: u32, count: u32) -> Batch {
    let points = (from..from + count)
        .map(|n| Point {
            x: n.into(),
            y: f64::from(n) / 2.0,
            ms: n.into(),
        })
        .collect();
    let latest = json!({"loss": f64::from(from + count - 1) / 2.0, "note": "text"})
        .as_object()
        .unwrap()
        .clone();
    Batch {
        from_offset: from.into(),
        to_offset: (from + count).into(),
        lines: count.into(),
        points: vec![("loss".to_owned(), points)],
        latest,
    }
}

async fn append(bed: &Bed, attempt: &Attempt, batch: &Batch) -> Appended {
    written!(bed, |tx| series::append(&mut tx, attempt.id, batch)).unwrap()
}

async fn batches_add_up(bed: &Bed) {
    let attempt = live(bed).await;
    let mut from = 0;
    for count in [1, 300, 300, 1200, 1] {
        assert_eq!(append(bed, &attempt, &batch(from, count)).await, RECORDED);
        from += count;
    }
    let whole = series::read(&bed.db, attempt.job_id, "loss", 10_000, None)
        .await
        .unwrap();
    assert_eq!(whole.total, 1802);
    assert_eq!(
        whole
            .points
            .iter()
            .map(|point| point.ms)
            .collect::<Vec<_>>(),
        (0..1802).collect::<Vec<_>>()
    );
    assert_eq!(
        series::keys(&bed.db, attempt.job_id).await.unwrap(),
        [series::Key {
            key: "loss".to_owned(),
            total: 1802
        }]
    );
    assert_eq!(
        json!(bed.job(attempt.job_id).await.metadata),
        json!({"loss": 900.5, "note": "text"})
    );
    let now = attempts::get(&bed.db, attempt.id).await.unwrap().unwrap();
    assert_eq!((now.metadata_offset, now.metadata_lines), (1802, 1802));
    let none = series::read(&bed.db, attempt.job_id, "other", 10, None)
        .await
        .unwrap();
    assert_eq!((none.total, none.points.len()), (0, 0));
}

async fn batch_counts_once(bed: &Bed) {
    let attempt = live(bed).await;
    assert_eq!(append(bed, &attempt, &batch(0, 10)).await, RECORDED);
    assert_eq!(
        append(bed, &attempt, &batch(0, 10)).await,
        Appended::Refused
    );
    assert_eq!(
        append(bed, &attempt, &batch(20, 10)).await,
        Appended::Refused
    );
    assert_eq!(
        series::read(&bed.db, attempt.job_id, "loss", 100, None)
            .await
            .unwrap()
            .total,
        10
    );
}

async fn racing_readers_of_one_log_record_it_once(bed: &Bed) {
    let attempt = live(bed).await;
    let readers = (0..4).map(|_| {
        let (db, id) = (bed.db.clone(), attempt.id);
        tokio::spawn(async move {
            for from in (0..100).step_by(10) {
                let batch = &batch(from, 10);
                db.write(|mut tx| async move { series::append(&mut tx, id, batch).await })
                    .await
                    .unwrap();
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    let whole = series::read(&bed.db, attempt.job_id, "loss", 1000, None)
        .await
        .unwrap();
    let total = i64::try_from(whole.points.len()).unwrap();
    assert_eq!(
        (whole.total, total),
        (
            total,
            attempts::get(&bed.db, attempt.id)
                .await
                .unwrap()
                .unwrap()
                .metadata_offset
        )
    );
    assert!(whole.points.iter().map(|point| point.ms).eq(0..total));
}

async fn finished_attempt_adds_nothing(bed: &Bed) {
    let attempt = live(bed).await;
    let end = &ending(jobs::State::Complete);
    written!(bed, |tx| jobs::finish(&mut tx, attempt.id, end)).unwrap();
    let attempt = attempts::get(&bed.db, attempt.id).await.unwrap().unwrap();
    assert_eq!(
        append(bed, &attempt, &batch(0, 10)).await,
        Appended::Refused
    );
    assert!(
        series::keys(&bed.db, attempt.job_id)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn spikes_survive_thinning(bed: &Bed) {
    let attempt = live(bed).await;
    let mut long = batch(0, 100_000);
    long.points[0].1[77_777].y = -1e9;
    append(bed, &attempt, &long).await;
    // Closer by, nothing is left out: neither of those in the window nor of their neighbours.
    let window = Some(series::Window {
        axis: series::Axis::Time,
        from: 77_000.0,
        to: 77_099.0,
    });
    let near = series::read(&bed.db, attempt.job_id, "loss", 500, window)
        .await
        .unwrap();
    let ms: Vec<_> = near.points.iter().map(|point| point.ms).collect();
    assert_eq!(ms, (76_999..=77_100).collect::<Vec<_>>());
    assert_eq!(near.total, 100_000);
    let thin = series::read(&bed.db, attempt.job_id, "loss", 500, None)
        .await
        .unwrap();
    assert!(
        (400..=500).contains(&thin.points.len()),
        "{}",
        thin.points.len()
    );
    assert!(thin.points.iter().any(|point| point.ms == 77_777));
    assert_eq!(
        (
            thin.points[0].ms,
            thin.points.last().map(|point| point.ms),
            thin.total
        ),
        (0, Some(99_999), 100_000)
    );
}

async fn too_many_keys_are_left_out(bed: &Bed) {
    let attempt = live(bed).await;
    let mut wide = Batch {
        to_offset: 1,
        ..Batch::default()
    };
    for n in 0..series::MAX_KEYS + 5 {
        wide.latest.insert(format!("k{n}"), json!(n));
        wide.points.push((
            format!("k{n}"),
            vec![Point {
                x: 0.0,
                y: 1.0,
                ms: 0,
            }],
        ));
    }
    wide.latest
        .insert("x".repeat(series::MAX_KEY_BYTES + 1), json!(1));
    assert_eq!(
        append(bed, &attempt, &wide).await,
        Appended::Recorded { keys_left_out: 6 }
    );
    assert_eq!(
        bed.job(attempt.job_id).await.metadata.len(),
        series::MAX_KEYS
    );
    assert_eq!(
        series::keys(&bed.db, attempt.job_id).await.unwrap().len(),
        series::MAX_KEYS
    );
}

async fn strange_numbers_survive(bed: &Bed) {
    let attempt = live(bed).await;
    let mut strange = batch(0, 4);
    for (place, y) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2]
        .into_iter()
        .enumerate()
    {
        strange.points[0].1[place].y = y;
    }
    append(bed, &attempt, &strange).await;
    let ys: Vec<f64> = series::read(&bed.db, attempt.job_id, "loss", 10, None)
        .await
        .unwrap()
        .points
        .iter()
        .map(|point| point.y)
        .collect();
    assert!(ys[0].is_nan());
    assert_eq!(ys[1..], [f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2]);
}
