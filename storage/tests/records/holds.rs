//! Runs that are held at a cell: who may say what when, and what is remembered.

use storage::holds::{self, Answered, Hold, NewHold, Notebook, State};
use storage::ids::{JobId, UserId};
use storage::jobs::{self, Job};
use storage::{Error, Hash};

use crate::bed::{Bed, NOW_MS, claim, ending, on_both, written};

on_both!(
    a_hold_is_opened_answered_and_resumed,
    an_answer_that_cannot_be_used_is_refused_and_another_can_follow,
    only_one_answer_counts,
    an_answer_wins_over_the_end_of_the_time,
    a_stop_ends_a_hold_and_refuses_answers,
    the_end_of_an_attempt_ends_its_hold,
    a_later_hold_says_that_the_one_before_is_over,
    only_what_may_be_held_is,
    answers_race_and_one_wins,
);

const HOUR_MS: i64 = 3_600_000;

/// A notebook's job that runs and may be held.
async fn running(bed: &Bed) -> Job {
    let mut new = bed.ready().await;
    (new.command, new.notebook) = (None, Some("a.ipynb".to_owned()));
    new.hold_ms = Some(2 * HOUR_MS);
    bed.submit(&new).await;
    claim(bed).await.0
}

fn new_hold(number: i64) -> NewHold {
    NewHold {
        number,
        cell_number: 2,
        cells: 3,
        title: "fit()".to_owned(),
        ename: "NameError".to_owned(),
        message: "cell 2 of 3 (`fit()`) raised NameError".to_owned(),
        limit_ms: HOUR_MS,
    }
}

async fn open(bed: &Bed, job: JobId, number: i64) -> storage::Result<Hold> {
    let new = &new_hold(number);
    written!(bed, |tx| holds::open(&mut tx, job, new))
}

async fn answer(
    bed: &Bed,
    job: JobId,
    user_id: UserId,
    notebook: Option<Notebook>,
) -> storage::Result<Hold> {
    let answered = &Answered { user_id, notebook };
    written!(bed, |tx| holds::answer(&mut tx, job, answered))
}

async fn end(bed: &Bed, job: JobId, number: i64, how: State) -> storage::Result<()> {
    written!(bed, |tx| holds::end(&mut tx, job, number, how))
}

async fn all(bed: &Bed, job: JobId) -> Vec<Hold> {
    holds::of_job(&bed.db, job).await.unwrap()
}

fn notebook() -> Notebook {
    let hash = Hash::of(b"{}");
    Notebook { hash, bytes: 2 }
}

async fn a_hold_is_opened_answered_and_resumed(bed: &Bed) {
    let job = running(bed).await;
    assert_eq!(job.hold_ms, Some(2 * HOUR_MS));
    let events = async || storage::events::newest(&bed.db).await.unwrap();
    let before = events().await;
    let held = open(bed, job.id, 1).await.unwrap();
    assert_eq!(
        (held.state, held.attempt, held.held_ms, held.until_ms),
        (State::Held, 1, NOW_MS, NOW_MS + HOUR_MS)
    );
    bed.clock.advance(5);
    assert_eq!(
        open(bed, job.id, 1).await.unwrap(),
        held,
        "as telling it once"
    );
    let answered = answer(bed, job.id, job.user_id, Some(notebook()))
        .await
        .unwrap();
    assert_eq!(
        (answered.state, answered.answers, answered.answered_ms),
        (State::Answered, 1, Some(NOW_MS + 5))
    );
    assert_eq!(answered.resumed_by_name.as_deref(), Some("ada"));
    for _ in 0..2 {
        end(bed, job.id, 1, State::Resumed).await.unwrap();
    }
    assert_eq!(holds::current(&bed.db, job.id).await.unwrap(), None);
    let kept = all(bed, job.id).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].state, kept[0].notebook, kept[0].resumed_by),
        (State::Resumed, Some(notebook()), Some(job.user_id))
    );
    assert_eq!(events().await, before + 3, "one event for each change");
}

async fn an_answer_that_cannot_be_used_is_refused_and_another_can_follow(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    answer(bed, job.id, job.user_id, Some(notebook()))
        .await
        .unwrap();
    let refuse =
        async |count| written!(bed, |tx| holds::refuse(&mut tx, job.id, (1, count), "no")).unwrap();
    assert!(!refuse(2).await, "there was no such answer");
    assert!(refuse(1).await && !refuse(1).await);
    let held = holds::current(&bed.db, job.id).await.unwrap().unwrap();
    assert_eq!(
        (held.state, held.refused.as_deref(), held.notebook),
        (State::Held, Some("no"), None)
    );
    let again = answer(bed, job.id, job.user_id, None).await.unwrap();
    assert_eq!((again.answers, again.refused), (2, None));
    end(bed, job.id, 1, State::Resumed).await.unwrap();
}

async fn only_one_answer_counts(bed: &Bed) {
    let job = running(bed).await;
    let early = answer(bed, job.id, job.user_id, None).await;
    assert!(matches!(early, Err(Error::Conflict(_))), "{early:?}");
    open(bed, job.id, 1).await.unwrap();
    answer(bed, job.id, job.user_id, None).await.unwrap();
    let second = answer(bed, job.id, job.user_id, None).await;
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");
}

async fn an_answer_wins_over_the_end_of_the_time(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    let early = end(bed, job.id, 1, State::Resumed).await;
    assert!(matches!(early, Err(Error::Conflict(_))), "nobody answered");
    answer(bed, job.id, job.user_id, None).await.unwrap();
    let late = end(bed, job.id, 1, State::Expired).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    end(bed, job.id, 1, State::Resumed).await.unwrap();
    open(bed, job.id, 2).await.unwrap();
    end(bed, job.id, 2, State::Expired).await.unwrap();
    assert_eq!(all(bed, job.id).await[1].state, State::Expired);
    let over = open(bed, job.id, 2).await;
    assert!(matches!(over, Err(Error::Conflict(_))), "it is over");
    let unknown = end(bed, job.id, 9, State::Expired).await;
    assert!(matches!(unknown, Err(Error::Conflict(_))), "{unknown:?}");
}

async fn a_stop_ends_a_hold_and_refuses_answers(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    written!(bed, |tx| jobs::request_stop(&mut tx, job.id)).unwrap();
    let late = answer(bed, job.id, job.user_id, None).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    end(bed, job.id, 1, State::Stopped).await.unwrap();
    let next = open(bed, job.id, 2).await;
    assert!(matches!(next, Err(Error::Conflict(_))), "{next:?}");
}

async fn the_end_of_an_attempt_ends_its_hold(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    let attempt = storage::attempts::latest(&bed.db, job.id)
        .await
        .unwrap()
        .unwrap()
        .id;
    written!(bed, |tx| jobs::requeue(&mut tx, attempt, "lost")).unwrap();
    assert_eq!(all(bed, job.id).await[0].state, State::Lost);
    let (_, second) = claim(bed).await;
    let held = open(bed, job.id, 1).await.unwrap();
    assert_eq!((held.attempt, held.number), (2, 1));
    let answered = answer(bed, job.id, job.user_id, Some(notebook())).await;
    assert_eq!(answered.unwrap().state, State::Answered);
    let ended = &ending(jobs::State::Error);
    written!(bed, |tx| jobs::finish(&mut tx, second.id, ended)).unwrap();
    assert_eq!(holds::current(&bed.db, job.id).await.unwrap(), None);
    let states: Vec<State> = all(bed, job.id)
        .await
        .iter()
        .map(|hold| hold.state)
        .collect();
    assert_eq!(states, [State::Lost, State::Lost], "nobody saw it go on");
}

async fn a_later_hold_says_that_the_one_before_is_over(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    answer(bed, job.id, job.user_id, None).await.unwrap();
    open(bed, job.id, 2).await.unwrap();
    let states: Vec<State> = all(bed, job.id)
        .await
        .iter()
        .map(|hold| hold.state)
        .collect();
    assert_eq!(states, [State::Resumed, State::Held]);
}

async fn only_what_may_be_held_is(bed: &Bed) {
    let mut new = bed.ready().await;
    (new.command, new.notebook) = (None, Some("a.ipynb".to_owned()));
    bed.submit(&new).await;
    let (job, _) = claim(bed).await;
    let unasked = open(bed, job.id, 1).await;
    assert!(matches!(unasked, Err(Error::Conflict(_))), "{unasked:?}");
    new.hold_ms = Some(HOUR_MS / 2);
    bed.submit(&new).await;
    let (job, _) = claim(bed).await;
    let bad = &NewHold {
        cells: 1,
        ..new_hold(1)
    };
    let refused = written!(bed, |tx| holds::open(&mut tx, job.id, bad));
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let held = open(bed, job.id, 1).await.unwrap();
    assert_eq!(
        held.until_ms,
        NOW_MS + HOUR_MS / 2,
        "not longer than asked for"
    );
}

async fn answers_race_and_one_wins(bed: &Bed) {
    let job = running(bed).await;
    open(bed, job.id, 1).await.unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (db, id, user_id) = (bed.db.clone(), job.id, job.user_id);
            tokio::spawn(async move {
                let answered = &Answered {
                    user_id,
                    notebook: None,
                };
                db.write(|mut tx| async move { holds::answer(&mut tx, id, answered).await })
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
}
