//! A batch on its way into the bucket: a batch of this host's store, and then an upload of what no row places.

use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::super::staging::Staging;
use super::super::{Batch, Claim, Hash, Key, Space};
use super::{Remote, places, upload};
use crate::Result;

pub(super) struct Sending {
    remote: Remote,
    here: Staging,
    /// What was put, in the order in which it came: what comes together is sent together, and read together later.
    put: Mutex<Vec<Key>>,
}

impl Sending {
    pub(super) fn begin(remote: &Remote) -> Result<Self> {
        Ok(Self {
            remote: remote.clone(),
            here: remote.inner.files.stage()?,
            put: Mutex::default(),
        })
    }

    fn note(&self, key: Key) {
        // Every entry is true by itself.
        let mut put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
        put.push(key);
    }
}

impl Batch for Sending {
    fn put(&self, body: &mut dyn Read) -> Result<(Hash, u64)> {
        let (hash, size) = self.here.put(body)?;
        self.note((Space::Objects, hash));
        Ok((hash, size))
    }

    fn adopt(&self, path: &Path, hash: &Hash) -> Result<()> {
        self.here.adopt(path, hash)?;
        self.note((Space::Objects, *hash));
        Ok(())
    }

    fn has_node(&self, digest: &Hash) -> Result<bool> {
        let key = (Space::Manifests, *digest);
        let there = self.here.has_node(digest)? || {
            let find = || self.remote.wait_for(places::find(self.remote.db(), key));
            let claims = self.remote.inner.files.claims();
            self.here.claim().look(claims, key, find)?.is_some()
        };
        if there {
            self.note(key);
        }
        Ok(there)
    }

    fn put_node(&self, digest: &Hash, bytes: &[u8]) -> Result<()> {
        if !self.has_node(digest)? {
            self.here.put_node(digest, bytes)?;
            self.note((Space::Manifests, *digest));
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Claim> {
        let Self { remote, here, put } = *self;
        let mut keys = put.into_inner().unwrap_or_else(PoisonError::into_inner);
        let claim = Box::new(here).commit()?;
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        keys.retain(|key| seen.insert(*key));
        drop(seen);
        super::super::step("here");
        remote.wait_for(upload::upload(&remote, &keys))?;
        claim.note_sent(keys.into_iter());
        super::super::step("sent");
        Ok(claim)
    }
}
