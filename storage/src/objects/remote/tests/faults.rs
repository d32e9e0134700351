//! What is done to the bucket, or to this host's copies, behind our back; and a bucket that cannot be reached.

use bytes::Bytes;

use super::*;
use crate::bucket::tests::access;
use crate::fsck::{self, Fault, Mode, Pace};
use crate::gc::{Options, collect};

/// A store with one long file, and the key that it lies under.
async fn with_one(fixture: &Fixture, bucket: &Bucket) -> (Hash, String) {
    let folder = fixture.folder("work");
    write(&folder, "file", vec![9; 300_000]);
    let digits = dataset(fixture, "digits").await;
    let (_, digest) = push(fixture, digits, &folder).await;
    let key = keys(bucket, "v1/o/").await.into_iter().next().unwrap();
    (digest, key)
}

/// Checks, and does what is done then.
async fn mend(store: &Store) -> (fsck::Report, fsck::Aside) {
    let report = fsck::check(store, Mode::Full).await.unwrap();
    let aside = fsck::set_aside(store, &report, &Pace::default()).await;
    (report, aside.unwrap())
}

fn lose_here(fixture: &Fixture, folder: &str) {
    for space in ["objects", "manifests"] {
        for found in walkdir::WalkDir::new(fixture.dir.path().join(folder).join(space)) {
            let found = found.unwrap();
            if found.file_type().is_file() {
                fs::remove_file(found.path()).unwrap();
            }
        }
    }
}

async fn copy(fixture: &Fixture, digest: Hash) -> crate::Result<PathBuf> {
    let copy = fixture.dir.path().join("copy");
    materialise::copy_to(&fixture.store, digest, &copy, None).await?;
    Ok(copy)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_the_bucket_is_mended_from_this_host() {
    for way in ["changed", "cut", "removed"] {
        for (name, fixture, bucket) in each().await {
            let (_, key) = with_one(&fixture, &bucket).await;
            let all = std::slice::from_ref(&key);
            match way {
                "changed" => bucket.put(&key, vec![8; 300_000].into()).await.unwrap(),
                "cut" => bucket
                    .put(&key, Bytes::from_static(b"short"))
                    .await
                    .unwrap(),
                _ => bucket.remove(all).await.unwrap(),
            }
            let (report, aside) = mend(&fixture.store).await;
            let paths: Vec<_> = report
                .findings
                .iter()
                .map(|one| one.path.as_deref())
                .collect();
            assert_eq!(paths, [Some("file")], "{name} {way}: {report:?}");
            assert!(aside.gone.is_empty(), "{name} {way}: {aside:?}");
            assert_sound(&fixture.store).await;
            let fresh = keys(&bucket, "v1/o/").await;
            assert!(
                fresh.iter().any(|one| *one != key),
                "{name} {way}: under another key"
            );
            cycle(&fixture.store).await;
            cycle(&fixture.store).await;
            // For a month: a bucket may be put right.
            let is_kept = keys(&bucket, "v1/o/").await.contains(&key);
            assert_eq!(is_kept, way != "removed", "{name} {way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_the_bucket_and_not_here_is_lost_and_told() {
    for (name, fixture, bucket) in each().await {
        let (digest, key) = with_one(&fixture, &bucket).await;
        bucket.put(&key, vec![8; 300_000].into()).await.unwrap();
        lose_here(&fixture, "store");
        let error = copy(&fixture, digest).await.unwrap_err();
        let is_told = error.to_string().contains("other content");
        assert!(!error.retryable() && is_told, "{name}: {error}");
        let (report, aside) = mend(&fixture.store).await;
        assert_eq!(report.findings[0].fault, Fault::Damaged, "{name}");
        assert_eq!(aside.gone.len(), 1, "{name}");
        // Whoever has it sends it again.
        let lost = &aside.let_go;
        let work = |mut tx: Tx| async move { fsck::let_go(&mut tx, lost).await };
        fixture.store.db().write(work).await.unwrap();
        let other = dataset(&fixture, "other").await;
        push(&fixture, other, &fixture.folder("work")).await;
        assert_sound(&fixture.store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_here_comes_again_from_the_bucket() {
    for (name, fixture, bucket) in each().await {
        let (digest, _) = with_one(&fixture, &bucket).await;
        let here = fixture
            .store
            .objects()
            .path(&Hash::of(&[9].repeat(300_000)));
        let here = here.unwrap();
        fs::remove_file(&here).unwrap();
        fs::write(&here, vec![8; 300_000]).unwrap();
        let (report, aside) = mend(&fixture.store).await;
        let found = (report.findings.len(), aside.gone.len());
        assert_eq!(found, (1, 0), "{name}");
        assert_sound(&fixture.store).await;
        let copy = copy(&fixture, digest).await.unwrap();
        assert!(
            fs::read(copy.join("file")).unwrap() == vec![9; 300_000],
            "{name}"
        );
    }
}

/// A way to a server that can be shut.
async fn door(inside: &str) -> (String, tokio::task::JoinHandle<()>) {
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", door.local_addr().unwrap());
    let inside = inside.replace("http://", "");
    let open = tokio::spawn(async move {
        let mut ways = tokio::task::JoinSet::new();
        while let Ok((mut from, _)) = door.accept().await {
            let inside = inside.clone();
            ways.spawn(async move {
                let mut to = tokio::net::TcpStream::connect(inside).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (address, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_reached_is_no_damage() {
    let Some((_, good)) = servers().into_iter().next() else {
        return;
    };
    let (address, open) = door(&good.endpoint.clone().unwrap()).await;
    let bucket = Bucket::new(&access(&address, &good.prefix)).unwrap();
    let fixture = Fixture::in_bucket(bucket.clone()).await;
    let (digest, _) = with_one(&fixture, &bucket).await;
    lose_here(&fixture, "store");
    open.abort();
    let _ = open.await;
    let error = copy(&fixture, digest).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    let error = fsck::check(&fixture.store, Mode::Full).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    let report = fsck::Report {
        faulty: [Hash::of(&[9].repeat(300_000))].into(),
        ..fsck::Report::default()
    };
    let aside = fsck::set_aside(&fixture.store, &report, &Pace::default()).await;
    assert!(aside.unwrap().let_go.is_empty(), "nothing is let go of");
    let doomed = "SELECT COUNT(*) FROM bucket_keys WHERE state = 'doomed'";
    assert_eq!(number(&fixture.store, doomed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_copies_of_one_database_remove_nothing() {
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        let fixture = Fixture::sqlite_in(bucket.clone()).await;
        with_one(&fixture, &bucket).await;
        fixture.store.db().close().await;
        let copied = fixture.dir.path().join("copied.db");
        fs::copy(fixture.dir.path().join("cairn.db"), &copied).unwrap();
        let url = Db::sqlite_url(&copied).unwrap();
        let db = Db::open(&url, crate::clock::System::shared())
            .await
            .unwrap();
        let place = fixture.dir.path().join("copied");
        let other = Store::open_in(&place, db, Some(bucket.clone()))
            .await
            .unwrap();
        let own = fixture.reopen().await;
        let error = collect(&own, Options::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("another server"),
            "{name}: {error}"
        );
        let error = collect(&other, Options::default()).await.unwrap_err();
        assert!(error.to_string().contains("two servers"), "{name}: {error}");
        // An operator says whose it is.
        fs::write(fixture.dir.path().join("store/adopt"), "").unwrap();
        let own = fixture.reopen().await;
        collect(&own, Options::default()).await.unwrap();
        assert!(collect(&other, Options::default()).await.is_err(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_cairn_is_refused() {
    for (name, fixture, bucket) in each().await {
        let other = Fixture::empty().await;
        let clock = crate::clock::System::shared();
        let db = Db::open(other.url(), clock).await.unwrap();
        let place = fixture.dir.path().join("other");
        let opened = Store::open_in(&place, db, Some(bucket)).await;
        let error = opened.map(drop).unwrap_err().to_string();
        assert!(error.contains("another Cairn"), "{name}: {error}");
    }
}
