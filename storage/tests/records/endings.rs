//! How jobs stop and end.

use serde_json::json;
use storage::ids::JobId;
use storage::jobs::{self, NewJob, Outputs, State, Stop};
use storage::snapshots::Skipped;
use storage::{Error, attempts};

use crate::bed::{Bed, NOW_MS, claim, ending, on_both, written};

on_both!(
    stop_before_the_start_ends_it,
    stop_twice_is_ok,
    finish_is_once_only,
    outputs_are_recorded_with_the_end,
    given_up_attempt_is_refused,
    given_up_job_that_was_to_stop_ends,
    unprepared_job_waits_for_the_queue,
    hopeless_job_ends_without_an_attempt,
);

async fn stop_before_the_start_ends_it(bed: &Bed) {
    let new = bed.ready().await;
    let job = bed.submit(&new).await;
    assert_eq!(stop(bed, job.id).await, Stop::Stopped);
    let ended = bed.job(job.id).await;
    assert_eq!(
        (ended.state, ended.ended_ms, ended.stop_requested_ms),
        (State::Stopped, Some(NOW_MS), Some(NOW_MS))
    );
    assert_eq!(jobs::waiting(&bed.db).await.unwrap(), 0);
    assert!(
        written!(bed, |tx| jobs::claim_job(&mut tx, job.id))
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
    assert!(written!(bed, |tx| jobs::finish(&mut tx, attempt.id, end)).unwrap());
    assert_eq!(stop(bed, job.id).await, Stop::Over);
    let unknown = JobId::new(&bed.clock);
    let missing = written!(bed, |tx| jobs::request_stop(&mut tx, unknown));
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
    let refused = written!(bed, |tx| jobs::finish(&mut tx, attempt.id, unfinal));
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
    assert!(written!(bed, |tx| jobs::finish(&mut tx, attempt.id, end)).unwrap());
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
        written!(bed, |tx| jobs::requeue(
            &mut tx,
            first.id,
            "the machine is silent"
        ))
        .unwrap()
    );
    assert!(!written!(bed, |tx| jobs::requeue(&mut tx, first.id, "again")).unwrap());
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
    assert!(!written!(bed, |tx| jobs::finish(&mut tx, first.id, end)).unwrap());
    assert!(!written!(bed, |tx| attempts::record_handle(&mut tx, first.id, handle)).unwrap());
    assert!(
        bed.db
            .write(
                |mut tx| async move { attempts::record_handle(&mut tx, second.id, handle).await }
            )
            .await
            .unwrap()
    );
    assert_eq!(bed.job(job.id).await.state, State::Started);
    assert!(written!(bed, |tx| jobs::finish(&mut tx, second.id, end)).unwrap());
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
    assert!(written!(bed, |tx| jobs::requeue(&mut tx, attempt.id, "lost")).unwrap());
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
        written!(bed, |tx| jobs::claim_job(&mut tx, job.id))
            .unwrap()
            .is_none()
    );
    assert!(written!(bed, |tx| jobs::enqueue(&mut tx, job.id)).unwrap());
    assert!(!written!(bed, |tx| jobs::enqueue(&mut tx, job.id)).unwrap());
    assert_eq!(jobs::queued(&bed.db, 10).await.unwrap().len(), 1);
    assert!(
        written!(bed, |tx| jobs::claim_job(&mut tx, job.id))
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

async fn stop(bed: &Bed, id: JobId) -> Stop {
    written!(bed, |tx| jobs::request_stop(&mut tx, id)).unwrap()
}
