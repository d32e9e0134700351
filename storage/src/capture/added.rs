//! A capture with one more file, which lies in no folder.

use super::Pending;
use crate::manifest::{Builder, Entry, Manifest, Node, check_path};
use crate::objects::{Store, blocking};
use crate::{Error, Result};

impl Pending {
    /// The same with a file of this content at `path`, in place of the file or link that is there.
    ///
    /// The stat index of the folder is kept: the next capture of it knows nothing of the file. Dropping the future leaves garbage that no one sees.
    ///
    /// # Errors
    /// `Invalid` where `path` breaks a rule or would be a file and a folder, `Unavailable` when the disk is full.
    pub async fn with_file(
        self,
        store: &Store,
        path: impl Into<String>,
        content: Vec<u8>,
    ) -> Result<Self> {
        let (store, path) = (store.clone(), path.into());
        blocking(move || add(self, &store, path, &content)).await
    }
}

fn add(mut pending: Pending, store: &Store, path: String, content: &[u8]) -> Result<Pending> {
    check_path(&path)?;
    let base = pending.captured.summary.manifest_digest;
    let base = Manifest::open(store.objects().clone(), &base)?
        .ok_or_else(|| Error::not_found("there is no such manifest"))?;
    let batch = store.objects().begin()?;
    let (hash, size) = batch.put(&mut &*content)?;
    let node = Node::File {
        hash,
        size,
        executable: false,
    };
    let mut added = Some(Entry { path, node });
    let mut builder = Builder::new(&*batch);
    for entry in base.entries() {
        let entry = entry?;
        if let Some(one) = added.take_if(|one| one.path <= entry.path) {
            let replaces = one.path == entry.path;
            builder.push(one)?;
            if replaces {
                // It knows the file that is left out, which nothing keeps.
                pending.index = None;
                continue;
            }
        }
        builder.push(entry)?;
    }
    added.map_or(Ok(()), |one| builder.push(one))?;
    pending.captured.summary = builder.finish()?;
    pending.claims.push(batch.commit()?);
    if let Err(at) = pending.objects.binary_search(&(hash, size)) {
        pending.objects.insert(at, (hash, size));
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::Fixture;
    use crate::manifest;
    use crate::snapshot::{self, Options};

    #[tokio::test]
    async fn a_file_is_added_in_order_or_takes_anothers_place() {
        let here = Fixture::new().await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt", "c.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let take = || snapshot::take(&here.store, folder.path(), Options::new(here.project));
        for (path, files) in [("b.txt", 3), ("a.txt", 2), ("z/z.txt", 3), ("A", 3)] {
            let added = take().await.unwrap();
            let added = added.with_file(&here.store, path, b"new".to_vec());
            let captured = added.await.unwrap().commit(&here.store).await.unwrap();
            assert_eq!(captured.summary.files, files, "{path}");
            let digest = captured.summary.manifest_digest;
            let content = manifest::read(&here.store, digest, path, None).await;
            let text = content.unwrap().unwrap().collect().await.unwrap();
            assert_eq!(text, b"new", "{path}");
        }
        for bad in ["a.txt/b", "../x", "", "/x"] {
            let added = take().await.unwrap();
            let added = added.with_file(&here.store, bad, Vec::new()).await;
            assert!(added.is_err(), "{bad}");
        }
    }
}
