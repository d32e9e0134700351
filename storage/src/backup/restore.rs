//! Restores a backup into a database and a store that are empty: all of it, or, when it is cut off, nothing that a server would serve.
//!
//! Before anything is written it is known that the place may take it. A marker then says that a restore is under way. Contents come into the store
//! first. Rows wait in its staging folder until the end of the backup has been seen and is right; then one transaction takes them all. A restore that
//! was cut off is begun again, and goes on from what is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::load::{self, State};
use super::receive::Received;
use super::settle::{Settled, settle};
use super::{Header, Incoming, Totals};
use crate::bucket::Bucket;
use crate::clock::Clock;
use crate::db::Db;
use crate::fsck;
use crate::objects::{BUCKETS, Files, Hash, KeptIn, Store, blocking, io_error, random_name};
use crate::{Error, Result};

/// Where a backup is restored to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The database's URL, see [`Db::open`].
    pub url: String,
    /// The clock of that database.
    pub clock: Arc<dyn Clock>,
    /// The folder of the store, see [`Store::open_in`].
    pub store: PathBuf,
    /// What is to keep it, where that is not the folder, and the buckets that things were adopted from.
    pub kept: KeptIn,
    /// The file that is there while a restore is under way or was cut off.
    pub marker: PathBuf,
}

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    /// Names the restore.
    restore: String,
    /// Names the backup.
    backup: Hash,
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// What the backup says of itself.
    #[serde(flatten)]
    pub header: Header,
    /// What it came to; none where an earlier restore, which was cut off, had come so far.
    #[serde(flatten)]
    pub totals: Option<Totals>,
    /// What could not be as it was.
    #[serde(flatten)]
    pub settled: Settled,
}

/// A restore that is marked and whose database and store are open.
pub struct Begun {
    target: Target,
    marker: Marker,
    db: Db,
    store: Store,
    incoming: Incoming,
}

/// Whether a restore is under way or was cut off, by the file that says so; also where it cannot be known.
pub fn is_begun(marker: &Path) -> bool {
    !matches!(marker.try_exists(), Ok(false))
}

/// Sees whether a place may take a backup, and changes nothing there.
///
/// # Errors
/// `Conflict` where the database or the store is not empty, or a restore of another backup was cut off here.
pub async fn check(target: &Target, incoming: &Incoming) -> Result<()> {
    look(target, incoming).await.map(|_| ())
}

/// Marks that the restore is under way, and opens what it is to fill. Nobody else may use the place until it has ended.
///
/// # Errors
/// As [`check`], with nothing changed.
pub async fn begin(target: Target, incoming: Incoming) -> Result<Begun> {
    let marker = look(&target, &incoming).await?;
    write(&target.marker, &marker).map_err(|error| unmarked(&target.marker, error))?;
    super::step("marked");
    let schema = incoming.header.schema;
    let db = Db::open_at(&target.url, Arc::clone(&target.clock), schema).await?;
    let store = Store::open_in(&target.store, db.clone(), target.kept.clone()).await?;
    Ok(Begun {
        target,
        marker,
        db,
        store,
        incoming,
    })
}

/// What the marker is to say, where the backup may be restored.
async fn look(target: &Target, incoming: &Incoming) -> Result<Marker> {
    let found = read(&target.marker)?;
    let again = found.is_some();
    let marker = found.unwrap_or_else(|| Marker {
        restore: random_name(),
        backup: incoming.id,
    });
    if marker.backup != incoming.id {
        return Err(Error::conflict(format!(
            "the restore of another backup was cut off here, as {} says: finish that one, or begin with an empty data directory and an empty database",
            target.marker.display()
        )));
    }
    if let Some(bucket) = &target.kept.bucket {
        check_bucket(bucket, incoming.header.schema, again).await?;
    }
    if let Some(db) = Db::look(&target.url, Arc::clone(&target.clock)).await? {
        let seen = seen(&db, incoming.header.schema, &marker.restore).await;
        db.close().await;
        seen?;
    }
    let folder = target.store.clone();
    if !again && !blocking(move || Files::is_empty(&folder)).await? {
        return Err(Error::conflict(format!(
            "the store in {} is not empty: a backup is restored into an empty data directory only. Give another --data-dir",
            target.store.display()
        )));
    }
    Ok(marker)
}

async fn check_bucket(bucket: &Bucket, schema: i64, again: bool) -> Result<()> {
    if schema < BUCKETS {
        return Err(Error::conflict(format!(
            "the backup is of a Cairn that knew no buckets: restore it without `s3`, start the server once, and restore a backup of that into {bucket:?}"
        )));
    }
    if !again && crate::gc::is_taken(bucket).await? {
        return Err(Error::conflict(format!(
            "{bucket:?} keeps another Cairn's store: a backup is restored into an empty one only. Give another prefix"
        )));
    }
    Ok(())
}

/// What is in the database: nothing, or what this restore has loaded.
async fn seen(db: &Db, schema: i64, restore: &str) -> Result<State> {
    let state = load::state(db, restore).await?;
    if let State::Other(table) = &state {
        return Err(Error::conflict(format!(
            "the database is not empty: it has a table {table} in use. A backup is restored into an empty one only; name another with `database`"
        )));
    }
    let version = db.version().await?.unwrap_or_default();
    if version > schema && state == State::Empty {
        return Err(Error::conflict(format!(
            "the database is empty, but its tables are of version {version}, newer than the backup's, {schema}: give it one without tables"
        )));
    }
    Ok(state)
}

impl Begun {
    /// Brings everything in. When this returns all of it is durable, and a server may begin.
    ///
    /// Cut off at any point, it leaves the marker, and may be begun again.
    ///
    /// # Errors
    /// `Invalid` where the backup is damaged or cut short, `Unavailable` when a disk is full.
    pub async fn fill(self) -> Result<Restored> {
        let Self {
            target,
            marker,
            db,
            store,
            incoming,
        } = self;
        let header = incoming.header.clone();
        let mut totals = None;
        if seen(&db, header.schema, &marker.restore).await? == State::Empty {
            let (objects, files) = (Arc::clone(store.objects()), store.files().clone());
            let receive = move || Received::receive(&objects, files.scratch()?, incoming);
            let received = blocking(receive).await?;
            super::step("received");
            let folder = received.scratch.path();
            load::load(&db, &header, folder, &marker.restore).await?;
            super::step("loaded");
            totals = Some(received.totals);
        }
        // What is in each came from the one backup. Which they were of before does not matter: they were empty.
        crate::gc::tie_anew(&store).await?;
        super::step("tied");
        db.close().await;
        let db = Db::open(&target.url, Arc::clone(&target.clock)).await?;
        let mut settled = settle(&db, &header).await?;
        if load::has_lost(&db, &marker.restore).await? {
            let store = Store::open_in(&target.store, db.clone(), target.kept.clone()).await?;
            settled.damaged = fsck::judge(&store).await?;
        }
        db.close().await;
        super::step("settled");
        remove(&target.marker).map_err(|error| unmarked(&target.marker, error))?;
        Ok(Restored {
            header,
            totals,
            settled,
        })
    }
}

fn read(path: &Path) -> Result<Option<Marker>> {
    let unread = || {
        format!(
            "{} cannot be read, which says that a restore was cut off here: begin with an empty data directory and an empty database",
            path.display()
        )
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::internal(unread(), error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(unread(), error)),
    }
}

/// Writes the marker, durably, before anything else is.
fn write(path: &Path, marker: &Marker) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(marker)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn unmarked(path: &Path, error: io::Error) -> Error {
    let what = "which says that a restore is under way, cannot be written or removed";
    io_error(format!("{}, {what}", path.display()), error)
}
