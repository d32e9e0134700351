use futures_util::{StreamExt as _, TryStreamExt as _};

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::outputs;

fn paths(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|&path| path.to_owned()).collect()
}

/// The contents in a body.
fn parse(mut body: &[u8]) -> Vec<(Hash, Vec<u8>)> {
    let mut contents = Vec::new();
    while let Some((hash, rest)) = body.split_first_chunk::<32>() {
        let (length, rest) = rest.split_first_chunk::<8>().unwrap();
        let (content, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        contents.push((Hash::from_bytes(*hash), content.to_vec()));
        body = rest;
    }
    contents
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
    let contents: Vec<&[u8]> = found
        .iter()
        .map(|(_, content)| content.as_slice())
        .collect();
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
async fn a_damaged_object_ends_the_stream() {
    let fixture = Fixture::new().await;
    let digest = manifest_of(&fixture, &[("a", b"one")], 9).await;
    let path = fixture.store.objects().path(&Hash::of(b"one")).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"two").unwrap();
    let body = several(&fixture.store, digest, paths(&["a"]))
        .await
        .unwrap()
        .unwrap();
    assert!(body.try_collect::<Vec<_>>().await.is_err());
}
