//! What every implementation of [`Objects`] must do: its test is a list of calls to these. Each panics when a promise is broken.

#![expect(
    clippy::missing_panics_doc,
    reason = "panicking is how these checks fail; the header says so"
)]

use std::io::{self, Read};

use super::{Hash, Objects, Space};

/// Runs every check.
pub fn all(objects: &dyn Objects) {
    committed_content_reads_back(objects);
    uncommitted_content_is_invisible(objects);
    same_content_twice_is_one_object(objects);
    same_content_at_the_same_time_is_one_object(objects);
    a_failing_body_leaves_nothing(objects);
    adopted_files_are_objects(objects);
    nodes_have_their_own_names(objects);
    unknown_objects_are_absent(objects);
    removed_objects_are_gone(objects);
}

/// What was committed is read back, at sizes around every buffer.
pub fn committed_content_reads_back(objects: &dyn Objects) {
    for size in [0, 1, 4096, 262_143, 262_144, 262_145, 3_000_000] {
        let content = pattern(size, 1);
        let hash = put(objects, &content);
        assert_eq!(
            hash,
            Hash::of(&content),
            "the hash of {size} bytes is theirs"
        );
        assert_eq!(
            read(objects, Space::Objects, &hash).as_deref(),
            Some(&content[..]),
            "{size} bytes read back"
        );
        assert_eq!(
            objects.size(Space::Objects, &hash).expect("size"),
            Some(size as u64)
        );
    }
}

/// A batch that is dropped leaves nothing that can be seen.
pub fn uncommitted_content_is_invisible(objects: &dyn Objects) {
    let content = pattern(5000, 2);
    let batch = objects.begin().expect("begin");
    let (hash, _) = batch.put(&mut &content[..]).expect("put");
    assert_eq!(
        read(objects, Space::Objects, &hash),
        None,
        "not before the commit"
    );
    drop(batch);
    assert_eq!(
        read(objects, Space::Objects, &hash),
        None,
        "not after dropping the batch"
    );
}

/// Putting content again, in one batch or in two, is no error.
pub fn same_content_twice_is_one_object(objects: &dyn Objects) {
    let content = pattern(300_000, 3);
    let batch = objects.begin().expect("begin");
    let first = batch.put(&mut &content[..]).expect("put");
    assert_eq!(batch.put(&mut &content[..]).expect("put again"), first);
    drop(batch.commit().expect("commit"));
    assert_eq!(put(objects, &content), first.0);
    assert_eq!(count(objects, &first.0), 1);
}

/// Batches that put the same content at the same time all succeed.
pub fn same_content_at_the_same_time_is_one_object(objects: &dyn Objects) {
    let content = pattern(100_000, 4);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| put(objects, &content));
        }
    });
    let hash = Hash::of(&content);
    assert_eq!(
        read(objects, Space::Objects, &hash).as_deref(),
        Some(&content[..])
    );
    assert_eq!(count(objects, &hash), 1);
}

/// A body that fails half-way is an error, and the batch goes on without it.
pub fn a_failing_body_leaves_nothing(objects: &dyn Objects) {
    let batch = objects.begin().expect("begin");
    for good in [10, 400_000] {
        let start = pattern(good, 5);
        let mut body = (&start[..]).chain(Failing);
        assert!(batch.put(&mut body).is_err(), "a failing body is an error");
    }
    let content = pattern(10, 6);
    let (hash, _) = batch.put(&mut &content[..]).expect("put after a failure");
    drop(batch.commit().expect("commit"));
    assert!(read(objects, Space::Objects, &hash).is_some());
    for bad in [10, 400_000] {
        assert_eq!(
            read(objects, Space::Objects, &Hash::of(&pattern(bad, 5))),
            None
        );
    }
}

/// A file that is taken over is an object like any other, also when its content was there.
pub fn adopted_files_are_objects(objects: &dyn Objects) {
    let content = pattern(20_000, 7);
    let hash = Hash::of(&content);
    // Next to the store, if it is on this host: taking over is for files of its own file system.
    let beside = objects
        .path(&hash)
        .and_then(|path| path.ancestors().nth(3).map(std::path::Path::to_owned));
    let folder = beside.unwrap_or_else(std::env::temp_dir);
    for turn in 0..2 {
        let path = folder.join(format!("conformance-{turn}-{}", super::random_name()));
        std::fs::write(&path, &content).expect("write");
        let batch = objects.begin().expect("begin");
        batch.adopt(&path, &hash).expect("adopt");
        drop(batch.commit().expect("commit"));
        // Implementations may leave the file.
        let _ = std::fs::remove_file(path);
        assert_eq!(
            read(objects, Space::Objects, &hash).as_deref(),
            Some(&content[..])
        );
    }
}

/// Nodes are kept under the digest they are given, apart from objects.
pub fn nodes_have_their_own_names(objects: &dyn Objects) {
    let digest = Hash::of(b"a digest that the caller computed");
    let batch = objects.begin().expect("begin");
    assert!(!batch.has_node(&digest).expect("has"));
    batch.put_node(&digest, b"node").expect("put");
    drop(batch.commit().expect("commit"));
    assert_eq!(
        read(objects, Space::Manifests, &digest).as_deref(),
        Some(&b"node"[..])
    );
    assert_eq!(read(objects, Space::Objects, &digest), None);
    assert!(
        objects
            .begin()
            .expect("begin")
            .has_node(&digest)
            .expect("has")
    );
}

/// What is not there is absent, not an error.
pub fn unknown_objects_are_absent(objects: &dyn Objects) {
    let hash = Hash::of(b"nobody put this");
    assert_eq!(read(objects, Space::Objects, &hash), None);
    assert_eq!(objects.size(Space::Manifests, &hash).expect("size"), None);
}

/// What is removed is gone, and can be put again.
pub fn removed_objects_are_gone(objects: &dyn Objects) {
    let content = pattern(1000, 8);
    let hash = put(objects, &content);
    for _ in 0..2 {
        objects.remove(Space::Objects, &hash).expect("remove");
        assert_eq!(read(objects, Space::Objects, &hash), None);
    }
    assert_eq!(put(objects, &content), hash);
    assert!(read(objects, Space::Objects, &hash).is_some());
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the body fails"))
    }
}

/// Bytes that differ at every offset and for every seed.
fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut content = vec![0; size];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut content);
    content
}

fn put(objects: &dyn Objects, content: &[u8]) -> Hash {
    let batch = objects.begin().expect("begin");
    let (hash, size) = batch.put(&mut &content[..]).expect("put");
    assert_eq!(size, content.len() as u64);
    drop(batch.commit().expect("commit"));
    hash
}

fn read(objects: &dyn Objects, space: Space, hash: &Hash) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    objects
        .open(space, hash)
        .expect("open")?
        .read_to_end(&mut content)
        .expect("read");
    Some(content)
}

fn count(objects: &dyn Objects, wanted: &Hash) -> usize {
    let mut found = 0;
    let visit = &mut |hash, _| {
        found += usize::from(hash == *wanted);
        Ok(())
    };
    objects
        .list(Space::Objects, wanted.as_bytes()[0], visit)
        .expect("list");
    found
}
