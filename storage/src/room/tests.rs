use super::*;
use crate::bucket::{Bucket, tests::servers};
use crate::capture::testing::{Fixture, write};
use crate::gc::tests::{assert_sound, dataset, push};
use crate::materialise;

fn here(store: &Store) -> u64 {
    survey(store).unwrap().values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_go_and_come_again_and_what_is_seen_stays() {
    for (name, access) in servers() {
        let fixture = Fixture::in_bucket(Bucket::new(&access).unwrap()).await;
        let store = &fixture.store;
        let (one, two) = (fixture.folder("one"), fixture.folder("two"));
        write(&one, "file", vec![1; 400_000]);
        write(&two, "file", vec![2; 500_000]);
        let digits = dataset(&fixture, "digits").await;
        let (_, seen) = push(&fixture, digits, &one).await;
        let (_, unseen) = push(&fixture, digits, &two).await;
        let all = here(store);
        let enough = make(store, all, HashSet::new()).await.unwrap();
        assert_eq!(enough.removed_bytes, 0, "{name}: there is room");
        let before = crate::mount::epoch(store).unwrap();
        let made = make(store, 1000, HashSet::from([seen])).await.unwrap();
        assert!(
            made.removed_bytes >= 500_000 && here(store) >= 400_000,
            "{name}: {made:?}"
        );
        assert_eq!(here(store), all - made.removed_bytes, "{name}");
        assert_eq!(
            crate::mount::epoch(store).unwrap(),
            before,
            "stat indexes are as good as before"
        );
        let copy = fixture.dir.path().join("copy");
        materialise::copy_to(store, unseen, &copy, None)
            .await
            .unwrap();
        assert!(
            fs::read(copy.join("file")).unwrap() == vec![2; 500_000],
            "{name}"
        );
        let made = make(store, 0, HashSet::new()).await.unwrap();
        assert!(made.removed_bytes > 0, "{name}");
        assert_eq!(here(store), 0, "{name}");
        assert_sound(store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_claimed_stays() {
    for (name, access) in servers() {
        let fixture = Fixture::in_bucket(Bucket::new(&access).unwrap()).await;
        let stored = fixture.store.put(vec![3; 1000]).await.unwrap();
        make(&fixture.store, 0, HashSet::new()).await.unwrap();
        assert_eq!(here(&fixture.store), 1000, "{name}");
        drop(stored);
        make(&fixture.store, 0, HashSet::new()).await.unwrap();
        assert_eq!(here(&fixture.store), 0, "{name}");
    }
}
