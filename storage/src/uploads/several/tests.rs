use futures_util::stream;

use super::super::tests::{begin, file};
use super::super::{Declared, Kind, declare, missing, seal};
use super::*;
use crate::capture::testing::Fixture;
use crate::several;

fn frame(hash: Hash, content: &[u8]) -> Vec<u8> {
    [&several::head(&hash, content.len() as u64), content].concat()
}

fn framed(content: &[u8]) -> Vec<u8> {
    frame(Hash::of(content), content)
}

/// A body of pieces that end where no object does.
fn body(bytes: &[u8]) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(701).map(Bytes::copy_from_slice).collect();
    stream::iter(pieces.into_iter().map(Ok))
}

/// An upload with a file of each content declared.
async fn upload_of(fixture: &Fixture, contents: &[Vec<u8>]) -> UploadId {
    let store = &fixture.store;
    let id = begin(fixture, Kind::Outputs).await;
    let entries: Vec<Declared> = contents
        .iter()
        .enumerate()
        .map(|(number, content)| file(&format!("{number:05}"), content))
        .collect();
    declare(store, id, &entries).await.unwrap();
    id
}

/// Contents of all small sizes, the empty one too.
fn contents(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| number.to_string().repeat(number).into_bytes())
        .collect()
}

#[tokio::test]
async fn many_objects_come_in_one_body_and_come_again() {
    let fixture = Fixture::new().await;
    let contents = contents(450);
    let id = upload_of(&fixture, &contents).await;
    let bytes: Vec<u8> = contents
        .iter()
        .flat_map(|content| framed(content))
        .collect();
    for _ in 0..2 {
        let count = put_several(&fixture.store, id, body(&bytes)).await.unwrap();
        assert_eq!(count, 450);
    }
    assert!(missing(&fixture.store, id).await.unwrap().is_empty());
    let sealed = seal(&fixture.store, id).await.unwrap();
    let whole: usize = contents.iter().map(Vec::len).sum();
    let summary = sealed.captured.summary;
    assert_eq!((summary.files, summary.bytes), (450, whole as u64));
    assert!(
        crate::fsck::check(&fixture.store, crate::fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn what_came_before_a_body_broke_is_kept() {
    let fixture = Fixture::new().await;
    let contents = contents(20);
    let id = upload_of(&fixture, &contents).await;
    let mut bytes: Vec<u8> = contents[..12]
        .iter()
        .flat_map(|content| framed(content))
        .collect();
    bytes.extend(&framed(&contents[12])[..50]);
    let broken = body(&bytes).chain(stream::iter([Err(std::io::Error::other("gone"))]));
    let failed = put_several(&fixture.store, id, broken).await.unwrap_err();
    assert!(failed.retryable());
    assert_eq!(missing(&fixture.store, id).await.unwrap().len(), 8);
    let cut = put_several(&fixture.store, id, body(&framed(&contents[12])[..50])).await;
    assert!(matches!(cut, Err(Error::Invalid(_))));
    assert_eq!(put_several(&fixture.store, id, body(b"")).await.unwrap(), 0);
    assert!(matches!(
        seal(&fixture.store, id).await,
        Err(Error::Conflict(_))
    ));
}

#[tokio::test]
async fn what_is_not_what_was_declared_is_refused() {
    let fixture = Fixture::new().await;
    let large = vec![1; usize::try_from(several::MAX_BYTES).unwrap() + 1];
    let id = upload_of(&fixture, &[b"one".to_vec(), large.clone()]).await;
    let one = Hash::of(b"one");
    for bytes in [
        frame(one, b"two"),
        frame(one, b"ones"),
        frame(one, b""),
        framed(&large),
        frame(one, b"one").into_iter().chain([0; 39]).collect(),
    ] {
        let refused = put_several(&fixture.store, id, body(&bytes)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let endless = [one.as_bytes(), [255; 8].as_slice()].concat();
    assert!(matches!(
        put_several(&fixture.store, id, body(&endless)).await,
        Err(Error::Invalid(_))
    ));
    let undeclared = put_several(&fixture.store, id, body(&framed(b"two"))).await;
    assert!(matches!(undeclared, Err(Error::NotFound(_))));
    let folder = fixture.store.within("uploads").join(id.to_string());
    let left: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| *name == "boot" || *name == *format!("{one}.done")),
        "{left:?}"
    );
}
