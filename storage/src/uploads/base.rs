//! The base of an upload: a manifest that the project holds already, of which only the changes are declared.

use tokio::sync::OwnedSemaphorePermit;

use super::{Declared, Kind};
use crate::db::{Tx, optional, sql};
use crate::fsck::{Integrity, verdict};
use crate::ids::ProjectId;
use crate::manifest::{Entry, Manifest};
use crate::objects::{Hash, Store, hold, is_lost, is_usable, number, wait_for};
use crate::{Error, Result};

/// Sees that an upload may begin on a base, and holds that, in the transaction that records the upload.
///
/// # Errors
/// `NotFound` unless the manifest is a version of a dataset of the project that is not taken back, a snapshot of it or what a job of it left, all
/// of it is whole as far as is known, and it has no links where the upload may have none. What others show the project does not count.
pub(super) async fn begin(
    tx: &mut Tx,
    project: ProjectId,
    kind: Kind,
    digest: &Hash,
) -> Result<()> {
    let text = "SELECT r.touched FROM manifest_roots r WHERE r.digest = $1 AND r.integrity = 'ok' AND r.symlinks <= $3 AND (\
         EXISTS (SELECT 1 FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id WHERE v.manifest_digest = r.digest \
                 AND v.retracted_ms IS NULL AND d.deleted_ms IS NULL AND d.project_id = $2) \
         OR EXISTS (SELECT 1 FROM snapshots s WHERE s.manifest_digest = r.digest AND s.project_id = $2) \
         OR EXISTS (SELECT 1 FROM job_outputs o JOIN jobs j ON j.id = o.job_id WHERE o.manifest_digest = r.digest AND j.project_id = $2))";
    let most_links = match kind {
        Kind::Snapshot => number(u64::MAX),
        Kind::Outputs => 0,
    };
    let query = sql(text).bind(digest.to_hex()).bind(project);
    if optional::<i64>(&mut *tx, query.bind(most_links))
        .await?
        .is_none()
    {
        return Err(Error::not_found(format!(
            "there is no such base: the project holds no manifest {digest}, or not all of it is whole; begin the upload without one"
        )));
    }
    hold(tx, &digest.to_hex()).await
}

/// Waits until a manifest may be made of a base: whoever declares little can have much read, so that few are made at once, as by `manifest::compose`.
pub(super) async fn turn(
    store: &Store,
    base: Option<&Hash>,
) -> Result<Option<OwnedSemaphorePermit>> {
    if base.is_none() {
        return Ok(None);
    }
    let turn = store.composing().acquire_owned().await;
    let ended = |error| Error::internal("nothing is made any more", error);
    turn.map(Some).map_err(ended)
}

/// Opens the base for work that has a claim, so that all of it is there until that ends. Blocks.
///
/// # Errors
/// `Conflict` where it cannot be read.
pub(super) fn open(store: &Store, digest: &Hash) -> Result<Manifest> {
    if !wait_for(is_usable(store.db(), digest))? {
        return Err(unreadable());
    }
    let found = Manifest::open(store.objects().clone(), digest).map_err(lost)?;
    found.ok_or_else(unreadable)
}

/// Holds the base in the transaction that records what became of it.
///
/// # Errors
/// `Conflict` where it turned out to be damaged meanwhile.
pub(super) async fn hold_whole(tx: &mut Tx, digest: &Hash) -> Result<()> {
    hold(tx, &digest.to_hex()).await?;
    let verdict = verdict(&mut *tx, digest).await?;
    if verdict.is_some_and(|verdict| verdict.integrity == Integrity::Ok) {
        Ok(())
    } else {
        Err(unreadable())
    }
}

/// The entries of a base with the changes in their places, in order: both are sorted by path.
pub(super) fn merged(
    base: impl Iterator<Item = Result<Entry>>,
    changes: Vec<Declared>,
) -> impl Iterator<Item = Result<Entry>> {
    let (mut base, mut changes) = (base.peekable(), changes.into_iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let old = match (base.peek(), changes.peek()) {
                (Some(Err(_)), _) | (Some(_), None) => true,
                (Some(Ok(old)), Some(change)) if old.path == change.path => {
                    base.next();
                    false
                }
                (Some(Ok(old)), Some(change)) => old.path < change.path,
                (None, _) => false,
            };
            if old {
                return base.next().map(|entry| entry.map_err(lost));
            }
            // One that takes its path away leaves nothing.
            if let Some(entry) = changes.next()?.entry() {
                return Some(Ok(entry));
            }
        }
    })
}

/// Tells a base that is damaged, which its uploader can do without, from work that failed.
fn lost(error: Error) -> Error {
    if is_lost(&error) { unreadable() } else { error }
}

fn unreadable() -> Error {
    Error::conflict("the base of the upload cannot be read any more: begin one without it")
}

#[cfg(test)]
mod tests;
