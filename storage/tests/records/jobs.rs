//! Jobs: accepting, listing, stopping and ending them.

use serde_json::json;
use storage::ids::{JobId, SnapshotId};
use storage::jobs::{self, Filter, NewJob, Outputs, State, Stop};
use storage::snapshots::Skipped;
use storage::workspaces::Input;
use storage::{Error, Page, attempts, snapshots};

use crate::bed::{Bed, NOW_MS, ending, on_both};

on_both!(
    record_keeps_what_was_asked,
    bad_requests_take_no_number,
    same_key_gets_the_same_job,
    list_filters_and_pages,
    snapshot_is_kept,
    stop_before_the_start_ends_it,
    stop_twice_is_ok,
    finish_is_once_only,
    outputs_are_recorded_with_the_end,
    given_up_attempt_is_refused,
    given_up_job_that_was_to_stop_ends,
    unprepared_job_waits_for_the_queue,
    hopeless_job_ends_without_an_attempt,
);

async fn claim(bed: &Bed) -> (jobs::Job, attempts::Attempt) {
    bed.db
        .write(|mut tx| async move { jobs::claim(&mut tx, None).await })
        .await
        .unwrap()
        .unwrap()
}

async fn stop(bed: &Bed, id: JobId) -> Stop {
    bed.db
        .write(|mut tx| async move { jobs::request_stop(&mut tx, id).await })
        .await
        .unwrap()
}

async fn record_keeps_what_was_asked(bed: &Bed) {
    let mut new = bed.ready().await;
    new.parameters = json!({"lr": 0.1, "deep": {"a": [1, null]}})
        .as_object()
        .unwrap()
        .clone();
    let (name, reference, manifest_digest) =
        ("data".to_owned(), "#3/sub".to_owned(), "cc".repeat(32));
    new.inputs = vec![Input {
        name,
        reference,
        manifest_digest,
        files: 1,
        bytes: 2,
    }];
    new.time_limit_ms = Some(5);
    let job = bed.submit(&new).await;
    assert_eq!(
        (
            job.number,
            job.state,
            job.project.as_str(),
            job.user.as_str()
        ),
        (1, State::Queued, "vision", "ada")
    );
    assert_eq!(
        (&job.command, &job.parameters, &job.inputs),
        (&new.command, &new.parameters, &new.inputs)
    );
    assert_eq!(
        (
            job.created_ms,
            job.queued_ms,
            job.attempt,
            job.outputs.as_ref()
        ),
        (NOW_MS, Some(NOW_MS), 0, None)
    );
    assert_eq!(bed.job(job.id).await, job);
    assert_eq!(
        jobs::by_number(&bed.db, new.project_id, 1).await.unwrap(),
        Some(job)
    );
    assert_eq!(
        jobs::by_number(&bed.db, new.project_id, 2).await.unwrap(),
        None
    );
}

async fn bad_requests_take_no_number(bed: &Bed) {
    let good = bed.ready().await;
    let input = |name: &str| Input {
        name: name.to_owned(),
        reference: String::new(),
        manifest_digest: String::new(),
        files: 0,
        bytes: 0,
    };
    let bad = [
        NewJob {
            command: None,
            ..good.clone()
        },
        NewJob {
            notebook: Some("a.ipynb".to_owned()),
            ..good.clone()
        },
        NewJob {
            command: Some(Vec::new()),
            ..good.clone()
        },
        NewJob {
            time_limit_ms: Some(0),
            ..good.clone()
        },
        NewJob {
            inputs: vec![input("a"), input("a")],
            ..good.clone()
        },
        NewJob {
            inputs: vec![input("../a")],
            ..good.clone()
        },
        NewJob {
            name: "\u{1b}".to_owned(),
            ..good.clone()
        },
        NewJob {
            snapshot_id: SnapshotId::new(&bed.clock),
            ..good.clone()
        },
    ];
    for new in &bad {
        let refused = bed
            .db
            .write(|mut tx| async move { jobs::create(&mut tx, new).await })
            .await;
        assert!(
            matches!(refused, Err(Error::Invalid(_) | Error::NotFound(_))),
            "{new:?}"
        );
    }
    assert_eq!(bed.submit(&good).await.number, 1);
}

async fn same_key_gets_the_same_job(bed: &Bed) {
    let new = NewJob {
        idempotency_key: Some("k".to_owned()),
        ..bed.ready().await
    };
    let tries = (0..8).map(|_| {
        let (db, new) = (bed.db.clone(), new.clone());
        tokio::spawn(async move {
            let new = &new;
            db.write(|mut tx| async move { jobs::create(&mut tx, new).await })
                .await
                .unwrap()
        })
    });
    let mut made = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        made.push(one.await.unwrap());
    }
    assert!(made.iter().all(|created| created.job.id == made[0].job.id));
    assert_eq!(made.iter().filter(|created| created.new).count(), 1);
    assert_eq!(
        bed.submit(&NewJob {
            idempotency_key: None,
            ..new
        })
        .await
        .number,
        2
    );
}

async fn list_filters_and_pages(bed: &Bed) {
    let new = bed.ready().await;
    let bob = bed.user("bob").await;
    for name in ["Train 100%", "test", "train", "train_b"] {
        bed.submit(&NewJob {
            name: name.to_owned(),
            ..new.clone()
        })
        .await;
        bed.clock.advance(1);
    }
    claim(bed).await;
    let numbers = async |filter: &Filter| {
        let list = jobs::list(&bed.db, filter, &Page::default()).await.unwrap();
        list.items.iter().map(|job| job.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&Filter::default()).await, [4, 3, 2, 1]);
    let name = |text: &str| Filter {
        name: Some(text.to_owned()),
        ..Filter::default()
    };
    assert_eq!(numbers(&name("TRAIN")).await, [4, 3, 1]);
    assert_eq!(numbers(&name("%")).await, [1]);
    assert_eq!(numbers(&name("_")).await, [4]);
    assert_eq!(
        numbers(&Filter {
            state: Some(State::Started),
            ..Filter::default()
        })
        .await,
        [1]
    );
    assert_eq!(
        numbers(&Filter {
            project_id: Some(new.project_id),
            ..Filter::default()
        })
        .await,
        [4, 3, 2, 1]
    );
    assert_eq!(
        numbers(&Filter {
            visible_to: Some(new.user_id),
            ..Filter::default()
        })
        .await
        .len(),
        4
    );
    assert_eq!(
        numbers(&Filter {
            visible_to: Some(bob.id),
            ..Filter::default()
        })
        .await
        .len(),
        0
    );
    assert_eq!(
        numbers(&Filter {
            user_id: Some(bob.id),
            ..Filter::default()
        })
        .await
        .len(),
        0
    );
    let first = jobs::list(&bed.db, &Filter::default(), &Page::first(3))
        .await
        .unwrap();
    let rest = jobs::list(
        &bed.db,
        &Filter::default(),
        &Page {
            limit: 3,
            cursor: first.next,
        },
    )
    .await
    .unwrap();
    assert_eq!(
        (rest.items.len(), rest.items[0].number, rest.next),
        (1, 1, None)
    );
    let bad = jobs::list(
        &bed.db,
        &Filter::default(),
        &Page {
            limit: 3,
            cursor: Some("x'".to_owned()),
        },
    )
    .await;
    assert!(matches!(bad, Err(Error::Invalid(_))));
}

async fn snapshot_is_kept(bed: &Bed) {
    let new = bed.ready().await;
    let found = snapshots::get(&bed.db, new.snapshot_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.files, found.bytes, found.created_ms),
        (3, 300, NOW_MS)
    );
    assert_eq!(
        snapshots::list(&bed.db, new.project_id, &Page::default())
            .await
            .unwrap()
            .items,
        [found]
    );
}

async fn stop_before_the_start_ends_it(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    assert_eq!(stop(bed, job.id).await, Stop::Stopped);
    let ended = bed.job(job.id).await;
    assert_eq!(
        (ended.state, ended.ended_ms, ended.stop_requested_ms),
        (State::Stopped, Some(NOW_MS), Some(NOW_MS))
    );
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::claim(&mut tx, None).await })
            .await
            .unwrap()
            .is_none()
    );
}

async fn stop_twice_is_ok(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    let (_, attempt) = claim(bed).await;
    assert_eq!(stop(bed, job.id).await, Stop::Stopping);
    bed.clock.advance(1);
    assert_eq!(stop(bed, job.id).await, Stop::Stopping);
    let stopping = bed.job(job.id).await;
    assert_eq!(
        (stopping.state, stopping.stop_requested_ms),
        (State::Stopping, Some(NOW_MS))
    );
    let end = &ending(State::Stopped);
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::finish(&mut tx, attempt.id, end).await })
            .await
            .unwrap()
    );
    assert_eq!(stop(bed, job.id).await, Stop::Over);
    let unknown = JobId::new(&bed.clock);
    let missing = bed
        .db
        .write(|mut tx| async move { jobs::request_stop(&mut tx, unknown).await })
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
}

async fn finish_is_once_only(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let (job, attempt) = claim(bed).await;
    let states = [
        State::Complete,
        State::Error,
        State::Stopped,
        State::Complete,
    ];
    let reports = states.map(|state| {
        let db = bed.db.clone();
        tokio::spawn(async move {
            let end = &ending(state);
            db.write(|mut tx| async move { jobs::finish(&mut tx, attempt.id, end).await })
                .await
                .unwrap()
                .then_some(state)
        })
    });
    let mut won = Vec::new();
    for report in reports {
        won.extend(report.await.unwrap());
    }
    assert_eq!(won.len(), 1);
    assert_eq!(bed.job(job.id).await.state, won[0]);
    let unfinal = &ending(State::Queued);
    let refused = bed
        .db
        .write(|mut tx| async move { jobs::finish(&mut tx, attempt.id, unfinal).await })
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

async fn outputs_are_recorded_with_the_end(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let (job, attempt) = claim(bed).await;
    let skipped = vec![Skipped {
        path: "a/pipe".to_owned(),
        reason: "a fifo".to_owned(),
    }];
    let outputs = Outputs {
        manifest_digest: "dd".repeat(32),
        content_digest: "ee".repeat(32),
        files: 2,
        bytes: 9,
        skipped,
    };
    let mut end = ending(State::Error);
    (end.outputs, end.message, end.log_bytes) =
        (Some(outputs.clone()), Some("exit 1".to_owned()), 77);
    (end.exit_code, end.signal) = (None, Some(9));
    let end = &end;
    bed.clock.advance(1);
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::finish(&mut tx, attempt.id, end).await })
            .await
            .unwrap()
    );
    let ended = bed.job(job.id).await;
    assert_eq!(
        (ended.outputs, ended.attempt, ended.log_bytes, ended.signal),
        (Some(outputs), 1, 77, Some(9))
    );
    assert_eq!(
        (ended.ended_ms, ended.message.as_deref()),
        (Some(NOW_MS + 1), Some("exit 1"))
    );
    assert!(jobs::unfinished(&bed.db).await.unwrap().is_empty());
}

async fn given_up_attempt_is_refused(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let (job, first) = claim(bed).await;
    assert!(
        bed.db
            .write(|mut tx| async move {
                jobs::requeue(&mut tx, first.id, "the machine is silent").await
            })
            .await
            .unwrap()
    );
    assert!(
        !bed.db
            .write(|mut tx| async move { jobs::requeue(&mut tx, first.id, "again").await })
            .await
            .unwrap()
    );
    let waiting = bed.job(job.id).await;
    assert_eq!(
        (waiting.state, waiting.message.as_deref()),
        (State::Queued, Some("the machine is silent"))
    );
    let (_, second) = claim(bed).await;
    assert_eq!(
        (second.number, attempts::live(&bed.db).await.unwrap()),
        (2, vec![second.clone()])
    );
    let (end, handle) = (&ending(State::Complete), &json!({"pid": 1}));
    assert!(
        !bed.db
            .write(|mut tx| async move { jobs::finish(&mut tx, first.id, end).await })
            .await
            .unwrap()
    );
    assert!(
        !bed.db
            .write(|mut tx| async move { attempts::record_handle(&mut tx, first.id, handle).await })
            .await
            .unwrap()
    );
    assert!(
        bed.db
            .write(
                |mut tx| async move { attempts::record_handle(&mut tx, second.id, handle).await }
            )
            .await
            .unwrap()
    );
    assert_eq!(bed.job(job.id).await.state, State::Started);
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::finish(&mut tx, second.id, end).await })
            .await
            .unwrap()
    );
    assert_eq!(attempts::list(&bed.db, job.id).await.unwrap().len(), 2);
    assert_eq!(
        attempts::latest(&bed.db, job.id)
            .await
            .unwrap()
            .unwrap()
            .run_handle
            .as_ref(),
        Some(handle)
    );
}

async fn given_up_job_that_was_to_stop_ends(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let (job, attempt) = claim(bed).await;
    stop(bed, job.id).await;
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::requeue(&mut tx, attempt.id, "lost").await })
            .await
            .unwrap()
    );
    let ended = bed.job(job.id).await;
    assert_eq!(
        (ended.state, ended.ended_ms),
        (State::Stopped, Some(NOW_MS))
    );
}

async fn unprepared_job_waits_for_the_queue(bed: &Bed) {
    let new = NewJob {
        queue: false,
        ..bed.ready().await
    };
    let job = bed.submit(&new).await;
    assert_eq!(job.state, State::Created);
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::claim_job(&mut tx, job.id).await })
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::enqueue(&mut tx, job.id).await })
            .await
            .unwrap()
    );
    assert!(
        !bed.db
            .write(|mut tx| async move { jobs::enqueue(&mut tx, job.id).await })
            .await
            .unwrap()
    );
    assert_eq!(jobs::queued(&bed.db, 10).await.unwrap().len(), 1);
    assert!(
        bed.db
            .write(|mut tx| async move { jobs::claim_job(&mut tx, job.id).await })
            .await
            .unwrap()
            .is_some()
    );
}

async fn hopeless_job_ends_without_an_attempt(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    let end = || {
        bed.db.write(|mut tx| async move {
            jobs::end_without_attempt(&mut tx, job.id, State::Error, "no such environment").await
        })
    };
    assert!(end().await.unwrap());
    assert!(!end().await.unwrap());
    let ended = bed.job(job.id).await;
    assert_eq!(
        (ended.state, ended.message.as_deref()),
        (State::Error, Some("no such environment"))
    );
}
