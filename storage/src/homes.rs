//! Homes: whole snapshots of workspaces' home folders, restored elsewhere as they were, and the records of where each home is.
//!
//! A snapshot is a manifest (which content) and an attributes object (the tree: modes, times, links, empty folders, names of any bytes). What
//! it knows of permissions is what the owner may set; setuid, setgid and extended attributes do not travel.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::capture::Skipped;
use crate::db::Tx;
use crate::ids::ProjectId;
use crate::index;
use crate::manifest::Summary;
use crate::materialise::Owner;
use crate::objects::{self, Claim, Hash, Store, blocking};

mod attributes;
mod places;
mod records;
mod restore;
mod restored;
mod retention;
mod take;
#[cfg(test)]
mod tests;
mod tree;
mod usage;
mod view;
mod walk;

pub use places::{HomePlace, place, places};
pub use records::{
    HomeConflict, HomeCopy, HomeRecord, HomeRun, HomeSnapshot, accept, add_conflict, adopt, begin,
    copies, forget_all, forget_copy, get, leftover, measured, newest, record, save, snapshots,
};
pub use restored::AbsentHome;
pub(crate) use restored::{absent, make_room, restored};
pub use usage::{Usage, measure};
pub use view::{HomeView, views};

/// What a snapshot of a home amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Digests and totals of the manifest.
    #[serde(flatten)]
    pub summary: Summary,
    /// The object that holds the tree.
    pub attributes_hash: Hash,
    /// What is not in it, by path: sockets, pipes, devices, what could not be read; and files that kept changing while they were read, which
    /// are in it as they were read last. At most 1000 lines and one that counts the rest.
    pub skipped: Vec<Skipped>,
}

/// A snapshot whose objects are durable and whose rows are not written yet: nobody sees it.
///
/// Write the rows with [`Pending::record`] in the transaction that refers to it, then call [`Pending::recorded`].
#[must_use = "a snapshot is kept only by recording it"]
#[derive(Debug)]
pub struct Pending {
    project: ProjectId,
    taken: Taken,
    objects: Vec<(Hash, u64)>,
    /// None when it was taken elsewhere: the index is there.
    index: Option<index::Fresh>,
    /// Until it is recorded nothing but these keeps it.
    claims: Vec<Claim>,
}

impl Pending {
    /// A snapshot that was taken elsewhere and whose `objects` (hashes and sizes; those of its files that this project may lack, and its
    /// attributes) are durable in this store.
    pub fn received(
        project: ProjectId,
        taken: Taken,
        mut objects: Vec<(Hash, u64)>,
        claims: Vec<Claim>,
    ) -> Self {
        objects.sort_unstable();
        objects.dedup();
        Self {
            project,
            taken,
            objects,
            index: None,
            claims,
        }
    }

    /// What the snapshot amounts to.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Writes the rows of the content. Safe to repeat.
    pub async fn record(&self, tx: &mut Tx) -> Result<()> {
        let content = (&self.taken.summary, &*self.claims);
        objects::record(tx, self.project, &self.objects, content).await
    }

    /// Says that the transaction was kept: later snapshots of the home may rely on it.
    pub fn recorded(mut self) -> Taken {
        if let Some(index) = self.index.take() {
            index.keep(&self.taken.summary.manifest_digest);
        }
        self.taken
    }

    /// Records the content in a transaction of its own.
    pub async fn commit(self, store: &Store) -> Result<Taken> {
        let this = &self;
        store
            .db()
            .write(|mut tx| async move { this.record(&mut tx).await })
            .await?;
        Ok(self.recorded())
    }
}

/// Takes a snapshot of a home; its objects are durable when this returns.
///
/// `index` names the folder's stat index (1 to 64 of `a-z 0-9 -`): files whose status is the same as at the last snapshot are not read.
/// The home may be in use: a file that changes while it is read is read again, and after a few tries kept and marked in `skipped`. Nothing is
/// followed out of the home, waited for or executed. Dropping the future lets the work run to its end.
///
/// # Errors
/// `NotFound` when the folder is not there, `Invalid` when it is a link or holds over four million paths, `Unavailable` when the disk is full.
pub async fn take(
    store: &Store,
    project: ProjectId,
    folder: &Path,
    index: &str,
) -> Result<Pending> {
    let (store, folder, index) = (store.clone(), folder.to_owned(), index.to_owned());
    blocking(move || take::take_now(&store, project, &folder, &index)).await
}

/// What to restore, and how.
#[derive(Debug, Clone)]
pub struct Restore {
    /// The project that the home belongs to.
    pub project: ProjectId,
    /// The name of the home's stat index, as in [`take`].
    pub index: String,
    /// Which content.
    pub manifest_digest: Hash,
    /// Which tree.
    pub attributes_hash: Hash,
    /// Whose everything is to be; whoever runs this where none is given.
    pub owner: Option<Owner>,
    /// A copy that lies there already holds what no snapshot has: it is kept in the new home, under this name.
    pub keep_aside: Option<String>,
}

/// Makes `target` the home as a snapshot has it, whole or not at all.
///
/// It is built beside the target and swapped in by a rename once it is on disk; a crash at any point leaves the old home or the new one, and
/// the next call removes what is left over. Files of an older copy that are the same are shared with the new one, not written again; all
/// others come out of the store and are checked against their hashes. The older copy is removed, unless `keep_aside` names it: then it
/// is found in the new home under that name (a crash may leave it beside, from where the next call puts it into the home). Nothing may
/// use the home meanwhile. `target`'s parent must exist and be trusted.
///
/// # Errors
/// `NotFound` without such a manifest, `Unavailable` when the disk is full, `Internal` when an object is damaged.
pub async fn restore(store: &Store, target: &Path, how: Restore) -> Result<()> {
    restore_holding(store, target, how, ()).await
}

/// The same while something is held: it is dropped when the work ends, also where that is after the future was dropped.
pub async fn restore_holding(
    store: &Store,
    target: &Path,
    how: Restore,
    held: impl Send + 'static,
) -> Result<()> {
    let (store, target) = (store.clone(), target.to_owned());
    blocking(move || {
        let _held = held;
        restore::restore_now(&store, &target, &how)
    })
    .await
}

/// Forgets the stat index of a home that is gone.
pub fn forget(store: &Store, index: &str) {
    index::forget(store.files().root(), index);
}

#[cfg(not(test))]
fn step(_name: &str) {}

/// Tests end the process at a named step of a restore.
#[cfg(test)]
use crate::objects::step;
