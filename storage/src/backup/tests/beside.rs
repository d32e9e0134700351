//! Others go on while a backup is made.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;

use super::*;
use crate::gc::tests::{cycle, retract};

/// Does something at the first bytes, then writes on.
struct Interrupted<F> {
    memory: Memory,
    work: Option<F>,
}

impl<F: FnOnce() + Send> Write for Interrupted<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(work) = self.work.take() {
            work();
        }
        self.memory.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A backup during which, after the rows are read and before any content is, `work` is done.
async fn interrupted<F: FnOnce() + Send + 'static>(store: &Store, work: F) -> Vec<u8> {
    let memory = Memory::default();
    let out = Interrupted {
        memory: memory.clone(),
        work: Some(work),
    };
    let written = write(store, Box::new(out), Options::default(), unwatched()).await;
    assert_eq!(written.unwrap().totals.lost, 0);
    memory.bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_is_in_it_although_it_is_taken_back_and_collected_meanwhile() {
    for elsewhere in [false, true] {
        let fixture = Arc::new(filled().await);
        let folder = fixture.folder("second");
        lay(&folder, "only", "only here");
        let digits = dataset(&fixture, "more").await;
        let (number, _) = push(&fixture, digits, &folder).await;
        let before = records(&fixture.store).await;
        let (collected, handle) = (Arc::clone(&fixture), Handle::current());
        let work = move || {
            handle.block_on(async {
                // As another process would, or as the same one.
                let store = if elsewhere {
                    collected.reopen().await
                } else {
                    collected.store.clone()
                };
                retract(&collected, digits, number).await;
                for _ in 0..4 {
                    cycle(&store).await;
                }
            });
        };
        let bytes = interrupted(&fixture.store, work).await;
        let place = tempfile::tempdir().unwrap();
        let (_, restored) = restore_into(bytes, place.path()).await.unwrap();
        assert!(has(&restored, "only here"));
        assert_eq!(records(&restored).await, before);
        assert_sound(&restored).await;
        // It was only for the backup that it stayed.
        for _ in 0..4 {
            cycle(&fixture.store).await;
        }
        assert!(!has(&fixture.store, "only here"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn backups_beside_a_writer_and_a_collector_are_whole() {
    let fixture = Arc::new(filled().await);
    let digits = dataset(&fixture, "more").await;
    let over = Arc::new(AtomicU64::new(0));
    let writing = {
        let (fixture, over) = (Arc::clone(&fixture), Arc::clone(&over));
        tokio::spawn(async move {
            let mut round = 0;
            while over.load(Ordering::SeqCst) == 0 {
                round += 1;
                let folder = fixture.folder(&format!("round-{round}"));
                lay(&folder, "f", format!("content {}", round % 5));
                let (number, _) = push(&fixture, digits, &folder).await;
                if number > 2 {
                    retract(&fixture, digits, number - 2).await;
                }
            }
        })
    };
    let collecting = {
        let (fixture, over) = (Arc::clone(&fixture), Arc::clone(&over));
        tokio::spawn(async move {
            while over.load(Ordering::SeqCst) == 0 {
                cycle(&fixture.store).await;
            }
        })
    };
    for _ in 0..6 {
        let (bytes, written) = backup(&fixture.store).await;
        assert_eq!(written.totals.lost, 0);
        let place = tempfile::tempdir().unwrap();
        let (_, restored) = restore_into(bytes, place.path()).await.unwrap();
        assert_sound(&restored).await;
    }
    over.store(1, Ordering::SeqCst);
    writing.await.unwrap();
    collecting.await.unwrap();
}
