//! Turns an upload, and the base that it is a change of, into a manifest: objects durable, then one transaction that says so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::base::{self, merged};
use super::entries::{Declared, MAX_ENTRIES, declared, held, too_many};
use super::{Kind, Spool, State, Upload, discard, get, open};
use crate::capture::{Captured, Pending};
use crate::db::{Tx, execute, sql};
use crate::ids::{SnapshotId, UploadId};
use crate::manifest::{Builder, Manifest, Summary};
use crate::objects::{Claim, Hash, Store, blocking};
use crate::snapshots;
use crate::{Error, Result};

/// What an upload became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// The manifest.
    #[serde(flatten)]
    pub captured: Captured,
    /// The snapshot, for an upload of that kind.
    pub snapshot_id: Option<SnapshotId>,
}

/// Seals an upload: makes its objects durable, its manifest, and for [`Kind::Snapshot`] the snapshot's record. Sealing again returns the same.
///
/// # Errors
/// `NotFound` for an unknown upload; `Conflict` when objects are missing, it was aborted or expired, is being sealed, or its base turns out to be
/// damaged; `Invalid` when a path is both a file and a folder or a size is not the content's; `Unavailable` when the disk is full.
pub async fn seal(store: &Store, id: UploadId) -> Result<Sealed> {
    let upload = get(store, id)
        .await?
        .ok_or_else(|| Error::not_found("there is no such upload"))?;
    if upload.state == State::Sealed {
        return sealed(store, &upload).await;
    }
    open(store, id).await?;
    let spool = Spool::of(store, id);
    let lock = {
        let spool = spool.clone();
        blocking(move || spool.lock()).await?
    };
    let entries = declared(store, id).await?;
    let sizes = sizes(&entries)?;
    let hashes: Vec<Hash> = sizes.keys().copied().collect();
    let held = held(store, upload.project_id, &hashes).await?;
    let pending = {
        let (store, project) = (store.clone(), upload.project_id);
        let base = upload.base_digest;
        let turn = base::turn(&store, base.as_ref()).await?;
        blocking(move || {
            let _turn = turn;
            let sent = sent(&spool, &sizes, &held)?;
            build(&store, base, entries, &sent).map(|(summary, claim)| {
                let objects = sent.keys().map(|hash| (*hash, sizes[hash])).collect();
                Pending::plain(project, summary, objects, claim)
            })
        })
        .await?
    };
    let snapshot_id = {
        let (upload, pending) = (&upload, &pending);
        store
            .db()
            .write(move |tx| commit(tx, upload, pending))
            .await?
    };
    let captured = pending.recorded();
    // The upload is sealed: what is left of it is garbage that also the next start would remove.
    if let Err(error) = discard(store, id).await {
        tracing::warn!(upload.id = %id, %error, "a sealed upload was not cleared away");
    }
    drop(lock);
    Ok(Sealed {
        captured,
        snapshot_id,
    })
}

async fn sealed(store: &Store, upload: &Upload) -> Result<Sealed> {
    let digest = upload
        .manifest_digest
        .ok_or_else(|| Error::fault("a sealed upload has no manifest"))?;
    let objects = store.objects().clone();
    let manifest = blocking(move || Manifest::open(objects, &digest)).await?;
    let manifest =
        manifest.ok_or_else(|| Error::fault("the manifest of a sealed upload is missing"))?;
    let captured = Captured {
        summary: *manifest.summary(),
        skipped: Vec::new(),
    };
    Ok(Sealed {
        captured,
        snapshot_id: upload.snapshot_id,
    })
}

/// The size of every declared object.
fn sizes(entries: &[Declared]) -> Result<BTreeMap<Hash, u64>> {
    let mut sizes = BTreeMap::new();
    for entry in entries {
        let Some(hash) = entry.hash else { continue };
        if sizes
            .insert(hash, entry.size)
            .is_some_and(|other| other != entry.size)
        {
            return Err(Error::invalid(
                "the upload has declared several sizes for one hash",
            ));
        }
    }
    Ok(sizes)
}

/// Where the objects lie that the project does not hold yet.
fn sent(
    spool: &Spool,
    sizes: &BTreeMap<Hash, u64>,
    held: &[(Hash, u64)],
) -> Result<BTreeMap<Hash, PathBuf>> {
    let held: BTreeMap<Hash, u64> = held.iter().copied().collect();
    let mut sent = BTreeMap::new();
    let mut missing = 0;
    for (hash, size) in sizes {
        if let Some(true_size) = held.get(hash) {
            if true_size != size {
                return Err(Error::invalid(format!(
                    "the size declared for {hash} is not its content's"
                )));
            }
            continue;
        }
        spool.recheck(hash, *size)?;
        match spool.done(hash) {
            Some(path) => drop(sent.insert(*hash, path)),
            None => missing += 1,
        }
    }
    if missing > 0 {
        return Err(Error::conflict(format!(
            "{missing} objects are still missing"
        )));
    }
    Ok(sent)
}

fn build(
    store: &Store,
    base: Option<Hash>,
    mut changes: Vec<Declared>,
    sent: &BTreeMap<Hash, PathBuf>,
) -> Result<(Summary, Claim)> {
    changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let batch = store.objects().begin()?;
    // After the batch, whose claim keeps all of it.
    let base = base.map(|digest| base::open(store, &digest)).transpose()?;
    let summary = match &base {
        Some(base) if changes.is_empty() => *base.summary(),
        base => {
            let mut builder = Builder::new(&*batch);
            let unchanged = base.iter().flat_map(|base| base.entries());
            for (number, entry) in (1..).zip(merged(unchanged, changes)) {
                if number > MAX_ENTRIES {
                    return Err(too_many());
                }
                builder.push(entry?)?;
            }
            builder.finish()?
        }
    };
    for (hash, path) in sent {
        batch.adopt(path, hash)?;
    }
    Ok((summary, batch.commit()?))
}

async fn commit(mut tx: Tx, upload: &Upload, pending: &Pending) -> Result<Option<SnapshotId>> {
    if let Some(base) = &upload.base_digest {
        base::hold_whole(&mut tx, base).await?;
    }
    pending.record(&mut tx).await?;
    let captured = pending.captured();
    let snapshot_id = match upload.kind {
        Kind::Snapshot => {
            let new = captured.snapshot(upload.project_id, upload.user_id, None);
            Some(snapshots::create(&mut tx, &new).await?.id)
        }
        Kind::Outputs => None,
    };
    let text = "UPDATE uploads SET state = 'sealed', snapshot_id = $2, manifest_digest = $3 WHERE id = $1 AND state = 'open'";
    let query = sql(text)
        .bind(upload.id)
        .bind(snapshot_id)
        .bind(captured.summary.manifest_digest.to_hex());
    if execute(&mut tx, query).await? == 0 {
        return Err(Error::conflict("the upload was aborted or expired"));
    }
    Ok(snapshot_id)
}
