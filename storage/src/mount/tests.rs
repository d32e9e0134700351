//! Manifests shown by the kernel of this machine.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::capture::testing::Fixture;
use crate::manifest::{Builder, Entry, Node};

mod lifetime;
mod round_trip;

/// A store whose mounts go away with it.
struct Bed {
    mounts: Mounts,
    fixture: Fixture,
}

impl Drop for Bed {
    fn drop(&mut self) {
        for mounted in table::below(&self.mounts.inner.folder)
            .unwrap()
            .iter()
            .rev()
        {
            kernel::detach(&mounted.place).unwrap();
        }
    }
}

impl Bed {
    /// None, with the reason printed, where the kernel mounts nothing for this process.
    #[expect(clippy::print_stdout, reason = "a skipped test says why")]
    async fn new() -> Option<Self> {
        let fixture = Fixture::new().await;
        match probe(fixture.dir.path()) {
            Rung::Farm(why) => {
                println!("skipped: manifests cannot be mounted here ({why})");
                None
            }
            rung @ Rung::Kernel(_) => Some(Self::over(fixture, rung).await),
        }
    }

    async fn over(fixture: Fixture, rung: Rung) -> Self {
        let mounts = Mounts::open(&fixture.store, rung).await.unwrap();
        Self { mounts, fixture }
    }

    fn put(&self, content: &[u8]) -> Node {
        self.put_all(std::iter::once(content)).remove(0)
    }

    fn put_all<'a>(&self, contents: impl Iterator<Item = &'a [u8]>) -> Vec<Node> {
        let batch = self.fixture.store.objects().begin().unwrap();
        let nodes = contents.map(|mut content| {
            let (hash, size) = batch.put(&mut content).unwrap();
            Node::File {
                hash,
                size,
                executable: false,
            }
        });
        let nodes = nodes.collect();
        drop(batch.commit().unwrap());
        nodes
    }

    fn manifest(&self, entries: &BTreeMap<String, Node>) -> Hash {
        let batch = self.fixture.store.objects().begin().unwrap();
        let mut builder = Builder::new(&*batch);
        for (path, node) in entries {
            let (path, node) = (path.clone(), node.clone());
            builder.push(Entry { path, node }).unwrap();
        }
        let digest = builder.finish().unwrap().manifest_digest;
        drop(batch.commit().unwrap());
        digest
    }

    /// A manifest of a few files.
    fn small(&self) -> Hash {
        let nodes = self.put_all([&b"one"[..], b"two"].into_iter());
        let paths = ["a.txt", "sub/b.txt"].map(str::to_owned);
        self.manifest(&paths.into_iter().zip(nodes).collect())
    }

    async fn show(&self, digest: Hash) -> crate::Result<PathBuf> {
        self.mounts.folder(digest, Link::Copy).await
    }

    fn count(&self) -> usize {
        table::below(&self.mounts.inner.folder).unwrap().len()
    }

    fn object(&self, hash: &Hash) -> PathBuf {
        self.fixture.store.objects().path(hash).unwrap()
    }
}
