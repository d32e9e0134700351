//! What must hold while many act at once.

use std::collections::HashSet;

use storage::ids::MachineId;
use storage::jobs;

use crate::bed::{Bed, NOW_MS, on_both, written};

on_both!(
    each_job_is_claimed_once,
    numbers_have_no_gaps,
    queue_is_in_the_order_of_asking,
);

async fn each_job_is_claimed_once(bed: &Bed) {
    const JOBS: usize = 60;
    let new = &bed.ready().await;
    bed.db
        .write(|mut tx| async move {
            for _ in 0..JOBS {
                jobs::create(&mut tx, new).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let server = MachineId::new(&bed.clock);
    let queue = jobs::queue(&bed.db, server).await.unwrap();
    let workers = (0..8).map(|worker| {
        let (db, mut queue) = (bed.db.clone(), queue.clone());
        queue.rotate_left(worker);
        tokio::spawn(async move {
            let mut mine = Vec::new();
            for job in queue {
                let claimed =
                    db.write(|mut tx| async move { jobs::claim_job(&mut tx, job.id).await });
                if let Some((job, attempt)) = claimed.await.unwrap() {
                    assert_eq!((attempt.job_id, attempt.number), (job.id, 1));
                    mine.push(job.id);
                }
            }
            mine
        })
    });
    let mut claimed = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        claimed.extend(worker.await.unwrap());
    }
    assert_eq!(
        (claimed.len(), claimed.iter().collect::<HashSet<_>>().len()),
        (JOBS, JOBS)
    );
}

async fn numbers_have_no_gaps(bed: &Bed) {
    let new = bed.ready().await;
    let creators = (0..16).map(|creator| {
        let (db, new) = (bed.db.clone(), new.clone());
        tokio::spawn(async move {
            let new = &new;
            let mut numbers = Vec::new();
            for round in 0..5 {
                // Every third is undone, as by a crash before the commit.
                let undone = db.write(|mut tx| async move {
                    let job = jobs::create(&mut tx, new).await?.job;
                    if (creator + round) % 3 == 0 {
                        Err(storage::Error::conflict("undone"))
                    } else {
                        Ok(job)
                    }
                });
                numbers.extend(undone.await.ok().map(|job| job.number));
            }
            numbers
        })
    });
    let mut numbers = Vec::new();
    for creator in creators.collect::<Vec<_>>() {
        numbers.extend(creator.await.unwrap());
    }
    numbers.sort_unstable();
    let count = i64::try_from(numbers.len()).unwrap();
    assert!(count > 40);
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
}

async fn queue_is_in_the_order_of_asking(bed: &Bed) {
    let new = bed.ready().await;
    for _ in 0..3 {
        bed.submit(&new).await;
        bed.clock.advance(1);
    }
    let server = MachineId::new(&bed.clock);
    let first = jobs::queue(&bed.db, server).await.unwrap().remove(0).id;
    written!(bed, |tx| jobs::claim_job(&mut tx, first)).unwrap();
    let queue = jobs::queue(&bed.db, server).await.unwrap();
    let waited = queue.iter().map(|job| job.queued_ms - NOW_MS);
    assert_eq!(waited.collect::<Vec<_>>(), [1, 2]);
    assert!(
        queue
            .iter()
            .all(|job| job.machine == "cpu" && job.id > first)
    );
}
