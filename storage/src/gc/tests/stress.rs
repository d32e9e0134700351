//! Everything at once on a real store: puts, versions made of versions, versions taken back, and cycles without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// How many cycles everything goes on for.
const CYCLES: u64 = 8;
const CONTENTS: u64 = 60;

/// Numbers that differ from one to the next, the same each time.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

struct Here {
    fixture: Fixture,
    dataset: DatasetId,
    newest: AtomicU64,
}

impl Here {
    async fn push(&self, seed: &mut u64) {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..3 {
            let content = format!("content {}", random(seed) % CONTENTS);
            write(folder.path(), &format!("f{file}"), content);
        }
        let (number, _) = push(&self.fixture, self.dataset, folder.path()).await;
        self.newest
            .fetch_max(number.unsigned_abs(), Ordering::SeqCst);
    }

    fn some(&self, seed: &mut u64) -> i64 {
        let newest = self.newest.load(Ordering::SeqCst).max(1);
        i64::try_from(newest - random(seed) % newest.min(4)).unwrap()
    }

    async fn derive(&self, seed: &mut u64) {
        let store = &self.fixture.store;
        let found = datasets::by_number(store.db(), self.dataset, self.some(seed))
            .await
            .unwrap();
        let Some(found) = found.filter(|found| found.retracted_ms.is_none()) else {
            return;
        };
        let part = Part {
            to: Some(format!("below{}", random(seed) % 2)),
            ..Part::whole(found.manifest_digest.parse().unwrap())
        };
        match compose(store, self.fixture.project, vec![part], Clash::Refuse).await {
            Ok(pending) => drop(add_version(store, &self.fixture, self.dataset, pending).await),
            Err(error) => assert!(matches!(error, Error::NotFound(_)), "{error:?}"),
        }
    }

    async fn take_back(&self, seed: &mut u64) {
        let (number, id, by) = (self.some(seed), self.dataset, self.fixture.user);
        let work = |mut tx: Tx| async move { datasets::retract(&mut tx, id, number, by).await };
        // It may not be there yet.
        drop(self.fixture.store.db().write(work).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_loses_nothing_that_is_held() {
    let fixture = Fixture::new().await;
    let dataset = dataset(&fixture, "digits").await;
    let here = Arc::new(Here {
        fixture,
        dataset,
        newest: AtomicU64::new(0),
    });
    let over = Arc::new(AtomicBool::new(false));
    let collecting = {
        let (here, over) = (Arc::clone(&here), Arc::clone(&over));
        tokio::spawn(async move {
            let mut swept = 0;
            for _ in 0..CYCLES {
                swept += cycle(&here.fixture.store).await.swept.count;
            }
            over.store(true, Ordering::SeqCst);
            swept
        })
    };
    let mut workers = Vec::new();
    for number in 1..=4_u64 {
        let (here, over) = (Arc::clone(&here), Arc::clone(&over));
        workers.push(tokio::spawn(async move {
            let seed = &mut (number * 7_919);
            while !over.load(Ordering::SeqCst) {
                here.push(seed).await;
                here.derive(seed).await;
                here.take_back(seed).await;
                here.take_back(seed).await;
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let swept = collecting.await.unwrap();
    let store = &here.fixture.store;
    assert_sound(store).await;
    let lost = "SELECT COUNT(*) FROM dataset_versions v WHERE v.retracted_ms IS NULL \
         AND NOT EXISTS (SELECT 1 FROM manifest_roots r WHERE r.digest = v.manifest_digest)";
    assert_eq!(count(store.db(), lost).await, 0);
    for _ in 0..3 {
        cycle(store).await;
    }
    assert_sound(store).await;
    let report = fsck::check(store, Mode::Full).await.unwrap();
    assert_eq!(report.orphaned_objects, 0);
    let live = count(
        store.db(),
        "SELECT COUNT(DISTINCT manifest_digest) FROM dataset_versions WHERE retracted_ms IS NULL",
    )
    .await;
    assert_eq!(
        count(store.db(), "SELECT COUNT(*) FROM manifest_roots").await,
        live
    );
    assert!(swept > 0, "something went meanwhile");
}
