use bytes::Bytes;
use futures_util::{Stream, stream};

use super::*;
use crate::capture::testing::{Fixture, add_project, write};
use crate::db::required;
use crate::snapshot::{Options, take};
use crate::{fsck, manifest, snapshots};

pub(super) fn file(path: &str, content: &[u8]) -> Declared {
    Declared::file(path, Hash::of(content), content.len() as u64)
}

fn body(content: &[u8]) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    let chunks: Vec<_> = content
        .chunks(1000)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    stream::iter(chunks)
}

fn broken(content: &[u8]) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    stream::iter([
        Ok(Bytes::copy_from_slice(content)),
        Err(std::io::Error::other("gone")),
    ])
}

pub(super) async fn begin(fixture: &Fixture, kind: Kind) -> UploadId {
    create(&fixture.store, fixture.project, fixture.user, kind, None)
        .await
        .unwrap()
        .id
}

pub(super) async fn send(fixture: &Fixture, id: UploadId, content: &[u8]) -> Result<Received> {
    put(&fixture.store, id, Hash::of(content), 0, body(content)).await
}

#[tokio::test]
async fn an_upload_becomes_a_snapshot() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Snapshot).await;
    let large = vec![9; 3_000_000];
    let link = Declared::link("link", "a");
    let entries = [
        file("a", b"one"),
        file("b/c", b"one"),
        file("empty", b""),
        file("large", &large),
        link,
    ];
    let mut expected = vec![Hash::of(b"one"), Hash::of(b""), Hash::of(&large)];
    expected.sort();
    assert_eq!(declare(store, id, &entries).await.unwrap(), expected);
    for content in [&b"one"[..], b"", &large] {
        let done = Received {
            offset: content.len() as u64,
            complete: true,
        };
        assert_eq!(send(&fixture, id, content).await.unwrap(), done);
        assert_eq!(
            send(&fixture, id, content).await.unwrap(),
            done,
            "sending again is fine"
        );
    }
    assert_eq!(missing(store, id).await.unwrap(), []);
    let sealed = seal(store, id).await.unwrap();
    is_the_snapshot(store, &sealed).await;
    assert_eq!(
        seal(store, id).await.unwrap(),
        sealed,
        "sealing again returns the same"
    );
    assert!(matches!(
        declare(store, id, &entries).await,
        Err(Error::Conflict(_))
    ));
    assert_eq!(
        std::fs::read_dir(store.within("uploads")).unwrap().count(),
        0
    );
}

async fn is_the_snapshot(store: &Store, sealed: &Sealed) {
    let summary = sealed.captured.summary;
    assert_eq!((summary.files, summary.symlinks), (4, 1));
    let snapshot = snapshots::get(store.db(), sealed.snapshot_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(snapshot.manifest_digest, summary.manifest_digest.to_hex());
    let large = manifest::file(store, summary.manifest_digest, "large")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(large.bytes, 3_000_000);
    assert!(
        fsck::check(store, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn only_what_is_new_is_asked_for() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    declare(store, id, &[file("a", b"one")]).await.unwrap();
    send(&fixture, id, b"one").await.unwrap();
    seal(store, id).await.unwrap();
    let next = begin(&fixture, Kind::Outputs).await;
    let wanted = declare(store, next, &[file("a", b"one"), file("d", b"new")])
        .await
        .unwrap();
    assert_eq!(wanted, [Hash::of(b"new")]);
}

#[tokio::test]
async fn a_hash_is_no_capability() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    declare(store, id, &[file("secret", b"secret")])
        .await
        .unwrap();
    send(&fixture, id, b"secret").await.unwrap();
    seal(store, id).await.unwrap();
    let other = add_project(store.db(), fixture.user, "other").await;
    let theirs = create(store, other, fixture.user, Kind::Outputs, None)
        .await
        .unwrap()
        .id;
    assert_eq!(
        declare(store, theirs, &[file("mine", b"secret")])
            .await
            .unwrap(),
        [Hash::of(b"secret")]
    );
    let hash = Hash::of(b"secret");
    assert_eq!(
        received(store, theirs, hash).await.unwrap(),
        Received {
            offset: 0,
            complete: false
        }
    );
    assert!(
        matches!(seal(store, theirs).await, Err(Error::Conflict(_))),
        "the content must be sent"
    );
    put(store, theirs, hash, 0, body(b"secret")).await.unwrap();
    seal(store, theirs).await.unwrap();
}

#[tokio::test]
async fn a_broken_body_is_resumed() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    let content: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let hash = Hash::of(&content);
    declare(store, id, &[file("big", &content)]).await.unwrap();
    let failed = put(store, id, hash, 0, broken(&content[..150_000]))
        .await
        .unwrap_err();
    assert!(failed.retryable());
    assert_eq!(
        received(store, id, hash).await.unwrap(),
        Received {
            offset: 150_000,
            complete: false
        }
    );
    assert!(
        matches!(
            put(store, id, hash, 150_001, body(b"")).await,
            Err(Error::Conflict(_))
        ),
        "no gaps"
    );
    let part = put(store, id, hash, 150_000, body(&content[150_000..200_000]))
        .await
        .unwrap();
    assert_eq!(
        part,
        Received {
            offset: 200_000,
            complete: false
        }
    );
    // Going on in another process.
    let reopened = fixture.reopen().await;
    let end = put(&reopened, id, hash, 200_000, body(&content[200_000..]))
        .await
        .unwrap();
    assert!(end.complete);
    seal(&reopened, id).await.unwrap();
    assert!(
        fsck::check(&reopened, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn other_content_than_declared_is_refused() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    let hash = Hash::of(b"right");
    declare(store, id, &[file("a", b"right")]).await.unwrap();
    assert!(matches!(
        put(store, id, hash, 0, body(b"wrong")).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        put(store, id, hash, 0, body(b"right and more")).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        send(&fixture, id, b"never declared").await,
        Err(Error::NotFound(_))
    ));
    assert_eq!(missing(store, id).await.unwrap(), [hash]);
    assert!(matches!(seal(store, id).await, Err(Error::Conflict(_))));
    put(store, id, hash, 0, body(b"right")).await.unwrap();
    let lie = Declared {
        size: 6,
        ..file("b", b"right")
    };
    declare(store, id, &[lie]).await.unwrap();
    assert!(
        matches!(seal(store, id).await, Err(Error::Invalid(_))),
        "two sizes for one hash"
    );
}

#[tokio::test]
async fn a_lying_size_of_held_content_is_refused() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let first = begin(&fixture, Kind::Outputs).await;
    declare(store, first, &[file("a", b"known")]).await.unwrap();
    send(&fixture, first, b"known").await.unwrap();
    seal(store, first).await.unwrap();
    let id = begin(&fixture, Kind::Outputs).await;
    declare(
        store,
        id,
        &[Declared {
            size: 1 << 40,
            ..file("a", b"known")
        }],
    )
    .await
    .unwrap();
    assert!(matches!(seal(store, id).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn bad_entries_are_refused() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    for path in ["../x", "/abs", "a//b", "./a", "a/", "a\0b", ""] {
        assert!(
            matches!(
                declare(store, id, &[file(path, b"x")]).await,
                Err(Error::Invalid(_))
            ),
            "{path:?}"
        );
    }
    let link = Declared::link("l", "/etc");
    assert!(
        matches!(declare(store, id, &[link]).await, Err(Error::Invalid(_))),
        "outputs hold no links"
    );
    let huge = Declared {
        size: u64::MAX,
        ..file("a", b"x")
    };
    assert!(declare(store, id, &[huge]).await.is_err());
    declare(
        store,
        id,
        &[file("a", b"x"), file("a.b", b"x"), file("a/b", b"x")],
    )
    .await
    .unwrap();
    send(&fixture, id, b"x").await.unwrap();
    assert!(
        matches!(seal(store, id).await, Err(Error::Invalid(_))),
        "file and folder at once"
    );
    assert!(
        fsck::check(store, fsck::Mode::Full)
            .await
            .unwrap()
            .manifests
            == 0
    );
}

#[tokio::test]
async fn an_upload_that_is_over_takes_nothing_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    declare(store, id, &[file("a", b"x")]).await.unwrap();
    send(&fixture, id, b"x").await.unwrap();
    abort(store, id).await.unwrap();
    abort(store, id).await.unwrap();
    assert!(matches!(
        send(&fixture, id, b"x").await,
        Err(Error::Conflict(_))
    ));
    assert!(matches!(seal(store, id).await, Err(Error::Conflict(_))));
    assert_eq!(
        std::fs::read_dir(store.within("uploads")).unwrap().count(),
        0
    );
    let old = begin(&fixture, Kind::Outputs).await;
    let text = "UPDATE uploads SET expires_ms = 1 WHERE id = $1";
    store
        .db()
        .write(|mut tx: Tx| async move { execute(&mut tx, sql(text).bind(old)).await })
        .await
        .unwrap();
    assert!(matches!(
        declare(store, old, &[file("a", b"x")]).await,
        Err(Error::Conflict(_))
    ));
    assert_eq!(expire(store).await.unwrap(), 1);
    assert_eq!(
        get(store, old).await.unwrap().unwrap().state,
        State::Aborted
    );
}

#[tokio::test]
async fn what_another_boot_wrote_is_checked_again() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Outputs).await;
    declare(store, id, &[file("good", b"good"), file("torn", b"torn")])
        .await
        .unwrap();
    send(&fixture, id, b"good").await.unwrap();
    send(&fixture, id, b"torn").await.unwrap();
    let spool = store.within("uploads").join(id.to_string());
    std::fs::write(spool.join("boot"), "another").unwrap();
    std::fs::write(spool.join(format!("{}.done", Hash::of(b"torn"))), "to\0\0").unwrap();
    let reopened = fixture.reopen().await;
    assert!(matches!(seal(&reopened, id).await, Err(Error::Conflict(_))));
    assert_eq!(missing(&reopened, id).await.unwrap(), [Hash::of(b"torn")]);
    put(&reopened, id, Hash::of(b"torn"), 0, body(b"torn"))
        .await
        .unwrap();
    seal(&reopened, id).await.unwrap();
    assert!(
        fsck::check(&reopened, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn captures_and_an_upload_of_the_same_files_share_them() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let folder = fixture.folder("work");
    for n in 0..150 {
        write(&folder, &format!("f{n}"), n.to_string());
    }
    write(&folder, &format!("{}x", "long/".repeat(50)), "x");
    let takes = (0..4).map(|_| async {
        let options = Options::new(fixture.project);
        take(store, &folder, options)
            .await
            .unwrap()
            .commit(store)
            .await
            .unwrap()
    });
    let all = futures_util::future::join_all(takes).await;
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));

    let id = begin(&fixture, Kind::Snapshot).await;
    let long = format!("{}y", format!("{}/", "d".repeat(250)).repeat(16));
    let entries: Vec<Declared> = (0..250)
        .map(|n| file(&format!("g{n}"), n.to_string().as_bytes()))
        .collect();
    let mut wanted = declare(store, id, &entries).await.unwrap();
    wanted.extend(declare(store, id, &[file(&long, b"new")]).await.unwrap());
    assert_eq!(wanted.len(), 101);
    for n in 150..250 {
        send(&fixture, id, n.to_string().as_bytes()).await.unwrap();
    }
    send(&fixture, id, b"new").await.unwrap();
    let sealed = seal(store, id).await.unwrap();
    assert_eq!(sealed.captured.summary.files, 251);
    assert_eq!(seal(store, id).await.unwrap(), sealed);
    assert!(
        fsck::check(store, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn entries_that_are_declared_again_are_no_more_entries() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = begin(&fixture, Kind::Snapshot).await;
    let entries: Vec<Declared> = (0..100)
        .map(|n| file(&format!("f{n}"), n.to_string().as_bytes()))
        .collect();
    declare(store, id, &entries).await.unwrap();
    let nearly = "UPDATE uploads SET entries = 1000000 WHERE id = $1";
    let set = |mut tx: Tx| async move { execute(&mut tx, sql(nearly).bind(id)).await };
    store.db().write(set).await.unwrap();
    declare(store, id, &entries).await.unwrap();
    let counted = sql("SELECT entries FROM uploads WHERE id = $1").bind(id);
    assert_eq!(required::<i64>(store.db(), counted).await.unwrap(), 100);
    // The last of those that have one path counts.
    let twice = [file("f1", b"not this"), file("f1", b"1")];
    assert_eq!(declare(store, id, &twice).await.unwrap().len(), 2);
    for n in 0..100 {
        send(&fixture, id, n.to_string().as_bytes()).await.unwrap();
    }
    assert_eq!(seal(store, id).await.unwrap().captured.summary.files, 100);
}
