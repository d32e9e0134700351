use futures_util::{StreamExt as _, TryStreamExt as _};

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::outputs;

fn paths(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|&path| path.to_owned()).collect()
}

/// The contents in a body.
fn parse(body: &[u8]) -> Vec<(Hash, Bytes)> {
    let mut body = bytes::BytesMut::from(body);
    std::iter::from_fn(|| crate::several::split(&mut body).unwrap()).collect()
}

/// A manifest of these files, and of others between them.
async fn manifest_of(fixture: &Fixture, files: &[(&str, &[u8])], others: usize) -> Hash {
    let folder = fixture.dir.path().join("left");
    for (path, content) in files {
        write(&folder, path, content);
    }
    for number in 0..others {
        write(
            &folder,
            &format!("many/{number:04}"),
            number.to_string().as_bytes(),
        );
    }
    let pending = outputs::capture(&fixture.store, fixture.project, &folder)
        .await
        .unwrap();
    pending.captured().summary.manifest_digest
}

#[tokio::test]
async fn each_content_comes_once() {
    let fixture = Fixture::new().await;
    let large = vec![7; 900_000];
    let files: [(&str, &[u8]); 5] = [
        ("a", b"one"),
        ("b/c", b"one"),
        ("b/d", b""),
        ("b/e", &large),
        ("zz", b"last"),
    ];
    let digest = manifest_of(&fixture, &files, 3000).await;
    let asked = ["zz", "a", "b/c", "b/d", "b/e", "many/0007", "many/2999"];
    let body = several(&fixture.store, digest, paths(&asked))
        .await
        .unwrap()
        .unwrap();
    let body: Vec<Bytes> = body.try_collect().await.unwrap();
    let mut found = parse(&body.concat());
    assert!(
        found
            .iter()
            .all(|(hash, content)| Hash::of(content) == *hash)
    );
    found.sort_by_key(|(_, content)| content.clone());
    let contents: Vec<&[u8]> = found.iter().map(|(_, content)| &content[..]).collect();
    assert_eq!(
        contents,
        [b"".as_slice(), &large, b"2999", b"7", b"last", b"one"]
    );
    let none = several(&fixture.store, digest, BTreeSet::new())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(none.count().await, 0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_first() {
    let fixture = Fixture::new().await;
    let large = vec![7; 1_100_000];
    let digest = manifest_of(&fixture, &[("a", b"one"), ("large", &large)], 9).await;
    for path in ["b", "many", "many/", "../a", "", "zzz", "A"] {
        let refused = several(&fixture.store, digest, paths(&["a", path])).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{path:?}");
    }
    let refused = several(&fixture.store, digest, paths(&["a", "large"])).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let many = (0..=MAX_SEVERAL).map(|number| number.to_string()).collect();
    assert!(matches!(
        several(&fixture.store, digest, many).await,
        Err(Error::Invalid(_))
    ));
    assert!(
        several(&fixture.store, Hash::of(b"none"), paths(&["a"]))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_damaged_object_is_left_out() {
    let fixture = Fixture::new().await;
    let files: [(&str, &[u8]); 4] = [
        ("a", b"one"),
        ("b", b"two"),
        ("c", b"three"),
        ("d", b"four"),
    ];
    let digest = manifest_of(&fixture, &files, 0).await;
    let path = |content: &[u8]| fixture.store.objects().path(&Hash::of(content)).unwrap();
    for (content, now) in [(&b"one"[..], &b"eno"[..]), (b"two", b"two and more")] {
        std::fs::remove_file(path(content)).unwrap();
        std::fs::write(path(content), now).unwrap();
    }
    std::fs::remove_file(path(b"three")).unwrap();
    let asked = paths(&["a", "b", "c", "d"]);
    let body = several(&fixture.store, digest, asked)
        .await
        .unwrap()
        .unwrap();
    let body: Vec<Bytes> = body.try_collect().await.unwrap();
    assert_eq!(
        parse(&body.concat()),
        [(Hash::of(b"four"), Bytes::from_static(b"four"))]
    );
}

/// More than tokio has threads for blocking work in this test.
#[test]
fn readers_that_stop_hold_no_thread() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fixture = Fixture::new().await;
        let large = vec![7; 900_000];
        let others = vec![8; 900_000];
        let digest = manifest_of(&fixture, &[("a", &large), ("b", &others)], 0).await;
        let mut stopped = Vec::new();
        for _ in 0..8 {
            let body = several(&fixture.store, digest, paths(&["a", "b"]))
                .await
                .unwrap();
            stopped.push(body.unwrap());
            let whole = fixture
                .store
                .read(Hash::of(&large), large.len() as u64, None);
            stopped.push(whole.body);
        }
        let again = several(&fixture.store, digest, paths(&["a"]))
            .await
            .unwrap()
            .unwrap();
        assert!(again.count().await > 0);
        drop(stopped);
    });
}
