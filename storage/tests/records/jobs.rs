//! Jobs: accepting, listing, stopping and ending them.

use serde_json::json;
use storage::ids::SnapshotId;
use storage::jobs::{self, Ending, Filter, NewJob, State};
use storage::workspaces::Input;
use storage::{Error, Page, snapshots};

use crate::bed::{Bed, NOW_MS, claim, ending, on_both, written};

on_both!(
    record_keeps_what_was_asked,
    bad_requests_take_no_number,
    same_key_gets_the_same_job,
    list_filters_by_name,
    list_filters_by_state_project_and_person,
    list_goes_page_by_page,
    snapshot_is_kept,
    failures_are_followed_by_other_attempts_as_often_as_asked,
);

async fn record_keeps_what_was_asked(bed: &Bed) {
    let mut new = bed.ready().await;
    new.parameters.insert("lr".to_owned(), json!(0.1));
    new.parameters
        .insert("deep".to_owned(), json!({"a": [1, null]}));
    let (name, reference, manifest_digest) =
        ("data".to_owned(), "#3/sub".to_owned(), "cc".repeat(32));
    new.inputs = vec![Input {
        name,
        reference,
        manifest_digest,
        files: 1,
        bytes: 2,
        version_id: None,
        source_job_id: None,
        left_out: None,
    }];
    new.time_limit_ms = Some(5);
    (new.command, new.notebook) = (None, Some("a.ipynb".to_owned()));
    new.cell_time_limit_ms = Some(3);
    new.hold_ms = Some(4);
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
        (&job.notebook, &job.parameters, &job.inputs),
        (&new.notebook, &new.parameters, &new.inputs)
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

#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn bad_requests_take_no_number(bed: &Bed) {
    let good = bed.ready().await;
    let input = |name: &str| Input {
        name: name.to_owned(),
        reference: String::new(),
        manifest_digest: String::new(),
        files: 0,
        bytes: 0,
        version_id: None,
        source_job_id: None,
        left_out: None,
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
            cell_time_limit_ms: Some(1),
            ..good.clone()
        },
        NewJob {
            hold_ms: Some(1),
            ..good.clone()
        },
        NewJob {
            hold_ms: Some(storage::holds::MOST_MS + 1),
            command: None,
            notebook: Some("a.ipynb".to_owned()),
            ..good.clone()
        },
        NewJob {
            retries: -1,
            ..good.clone()
        },
        NewJob {
            tags: vec![String::new()],
            ..good.clone()
        },
        NewJob {
            tags: vec!["x".to_owned(); 101],
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
        let refused = written!(bed, |tx| jobs::create(&mut tx, new));
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
    let mut parameters = new.parameters.clone();
    parameters.insert("epochs".to_owned(), 99.into());
    let other = &NewJob {
        parameters,
        ..new.clone()
    };
    let refused = written!(bed, |tx| jobs::create(&mut tx, other));
    assert!(
        matches!(&refused, Err(Error::Conflict(text)) if text.contains("#1")),
        "{refused:?}"
    );
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

async fn four(bed: &Bed) -> NewJob {
    let new = bed.ready().await;
    for name in ["Train 100%", "test", "train", "train_b"] {
        bed.submit(&NewJob {
            name: name.to_owned(),
            ..new.clone()
        })
        .await;
        bed.clock.advance(1);
    }
    new
}

async fn numbers(bed: &Bed, filter: Filter) -> Vec<i64> {
    let list = jobs::list(&bed.db, &filter, &Page::default())
        .await
        .unwrap();
    list.items.iter().map(|job| job.number).collect()
}

async fn list_filters_by_name(bed: &Bed) {
    four(bed).await;
    for (text, expected) in [
        ("TRAIN", vec![4, 3, 1]),
        ("%", vec![1]),
        ("_", vec![4]),
        ("\\", vec![]),
        ("", vec![4, 3, 2, 1]),
    ] {
        let name = Some(text.to_owned());
        assert_eq!(
            numbers(
                bed,
                Filter {
                    name,
                    ..Filter::default()
                }
            )
            .await,
            expected,
            "{text}"
        );
    }
}

async fn list_filters_by_state_project_and_person(bed: &Bed) {
    let new = four(bed).await;
    let bob = bed.user("bob").await;
    claim(bed).await;
    let every = Filter::default();
    assert_eq!(
        numbers(
            bed,
            Filter {
                state: Some(State::Started),
                ..every.clone()
            }
        )
        .await,
        [1]
    );
    let project_id = Some(new.project_id);
    assert_eq!(
        numbers(
            bed,
            Filter {
                project_id,
                ..every.clone()
            }
        )
        .await,
        [4, 3, 2, 1]
    );
    for (user_id, count) in [(new.user_id, 4), (bob.id, 0)] {
        let user_id = Some(user_id);
        assert_eq!(
            numbers(
                bed,
                Filter {
                    visible_to: user_id,
                    ..every.clone()
                }
            )
            .await
            .len(),
            count
        );
        assert_eq!(
            numbers(
                bed,
                Filter {
                    user_id,
                    ..every.clone()
                }
            )
            .await
            .len(),
            count
        );
    }
}

async fn list_goes_page_by_page(bed: &Bed) {
    four(bed).await;
    let every = &Filter::default();
    let first = jobs::list(&bed.db, every, &Page::first(3)).await.unwrap();
    let rest = jobs::list(
        &bed.db,
        every,
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
    let strange = Page {
        limit: 3,
        cursor: Some("x'".to_owned()),
    };
    let refused = jobs::list(&bed.db, every, &strange).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
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

async fn failures_are_followed_by_other_attempts_as_often_as_asked(bed: &Bed) {
    let mut new = bed.ready().await;
    (new.retries, new.tags) = (1, vec!["nightly".to_owned()]);
    let job = bed.submit(&new).await;
    assert_eq!((&job.tags, job.retries, job.failures), (&new.tags, 1, 0));
    let failed = &Ending {
        log_bytes: 7,
        ..ending(State::Error)
    };
    for (retried, expected) in [(true, State::Queued), (false, State::Error)] {
        let (_, attempt) = claim(bed).await;
        let id = attempt.id;
        let again = written!(bed, |tx| jobs::retry(&mut tx, id, failed));
        assert_eq!(again.unwrap(), retried);
        let ended = written!(bed, |tx| jobs::finish(&mut tx, id, failed));
        assert_eq!(ended.unwrap(), !retried, "one or the other");
        let twice = written!(bed, |tx| jobs::retry(&mut tx, id, failed));
        assert!(!twice.unwrap());
        assert_eq!(bed.job(job.id).await.state, expected);
    }
    let after = bed.job(job.id).await;
    assert_eq!((after.failures, after.attempt, after.log_bytes), (1, 2, 7));
}
