//! What must hold while many act at once.

use std::collections::HashSet;

use storage::jobs::{self, NewJob};

use crate::bed::{Bed, on_both, written};

on_both!(
    each_job_is_claimed_once,
    numbers_have_no_gaps,
    claims_follow_the_machine_type,
    oldest_goes_first
);

async fn each_job_is_claimed_once(bed: &Bed) {
    const JOBS: usize = 200;
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
    let workers = (0..8).map(|_| {
        let db = bed.db.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some((job, attempt)) = db
                .write(|mut tx| async move { jobs::claim(&mut tx, None).await })
                .await
                .unwrap()
            {
                assert_eq!((attempt.job_id, attempt.number), (job.id, 1));
                mine.push(job.id);
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

async fn claims_follow_the_machine_type(bed: &Bed) {
    let new = bed.ready().await;
    bed.submit(&new).await;
    let gpu = bed
        .submit(&NewJob {
            machine: "gpu".to_owned(),
            ..new
        })
        .await;
    let claim = |machine| {
        bed.db
            .write(move |mut tx| async move { jobs::claim(&mut tx, machine).await })
    };
    assert_eq!(
        claim(Some("gpu")).await.unwrap().map(|(job, _)| job.id),
        Some(gpu.id)
    );
    assert!(claim(Some("gpu")).await.unwrap().is_none());
    assert!(claim(Some("cpu")).await.unwrap().is_some());
    assert!(claim(None).await.unwrap().is_none());
}

async fn oldest_goes_first(bed: &Bed) {
    let new = bed.ready().await;
    for _ in 0..3 {
        bed.submit(&new).await;
        bed.clock.advance(1);
    }
    for number in 1..=3 {
        let (job, _) = written!(bed, |tx| jobs::claim(&mut tx, None))
            .unwrap()
            .unwrap();
        assert_eq!(job.number, number);
    }
}
