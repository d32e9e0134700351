//! Restores a backup into a database and a store that are empty: all of it, or, when it is cut off, nothing that a server would serve.
//!
//! A marker says that a restore is under way. Contents come into the store first. Rows wait in its staging folder until the end of the backup has been
//! seen and is right; then one transaction takes them all. A restore that was cut off is begun again, and goes on from what is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::load::{self, State};
use super::receive::Received;
use super::settle::{Settled, settle};
use super::{Header, Incoming, Totals};
use crate::clock::Clock;
use crate::db::Db;
use crate::fsck;
use crate::objects::{Hash, Objects, Space, Store, blocking, io_error, random_name};
use crate::{Error, Result};

/// Where a backup is restored to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The database's URL, see [`Db::open`].
    pub url: String,
    /// The clock of that database.
    pub clock: Arc<dyn Clock>,
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
    /// What had run.
    #[serde(flatten)]
    pub settled: Settled,
}

/// A restore whose database is open and may take it.
pub struct Begun {
    target: Target,
    marker: Marker,
    /// An earlier restore of the same backup was cut off.
    again: bool,
    db: Db,
    incoming: Incoming,
}

/// Whether a restore is under way or was cut off, by the file that says so.
pub fn is_begun(marker: &Path) -> bool {
    marker.exists()
}

/// Opens the database, and sees whether it may take the backup. Nobody else may use it, or the store, until the restore has ended.
///
/// # Errors
/// `Conflict` where the database is not empty, or a restore of another backup was cut off here.
pub async fn begin(target: Target, incoming: Incoming) -> Result<Begun> {
    let found = read(&target.marker)?;
    let again = found.is_some();
    let marker = found.unwrap_or_else(|| Marker {
        restore: random_name(),
        backup: incoming.id,
    });
    if marker.backup != incoming.id {
        return Err(Error::conflict(
            "the restore of another backup was cut off here: finish that one, or begin with an empty data directory and an empty database",
        ));
    }
    let schema = incoming.header.schema;
    let db = Db::open_at(&target.url, Arc::clone(&target.clock), schema).await?;
    let state = load::state(&db, &marker.restore).await?;
    if let State::Other(table) = &state {
        return Err(Error::conflict(format!(
            "the database is not empty: there are {table}. A backup is restored into an empty one only; name another with `database`"
        )));
    }
    let version = db.version().await?;
    if version > schema && state == State::Empty {
        return Err(Error::conflict(format!(
            "the database is empty, but its tables are of version {version}, newer than the backup's, {schema}: give it one without tables"
        )));
    }
    if !again && state == State::Empty {
        load::untie(&db).await?;
    }
    Ok(Begun {
        target,
        marker,
        again,
        db,
        incoming,
    })
}

impl Begun {
    /// The database, with its tables as they were when the backup was made: to open the store with, and for nothing else.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Brings everything in. When this returns all of it is durable, and a server may begin.
    ///
    /// Cut off at any point, it leaves the marker, and may be begun again.
    ///
    /// # Errors
    /// `Conflict` where the store is not empty, `Invalid` where the backup is damaged or cut short, `Unavailable` when a disk is full.
    pub async fn fill(self, store: &Store) -> Result<Restored> {
        let Self {
            target,
            marker,
            again,
            db,
            incoming,
        } = self;
        let header = incoming.header.clone();
        let mut totals = None;
        if load::state(&db, &marker.restore).await? == State::Empty {
            let objects = Arc::clone(store.objects());
            let place = target.marker.clone();
            let (mark, files) = (marker.clone(), store.files().clone());
            let received = blocking(move || {
                if !again {
                    check_empty(&*objects)?;
                    write(&place, &mark).map_err(unmarked)?;
                }
                super::step("marked");
                Received::receive(&objects, files.scratch()?, incoming)
            });
            let received = received.await?;
            super::step("received");
            let folder = received.scratch.path();
            load::load(&db, &header, folder, &marker.restore).await?;
            super::step("loaded");
            totals = Some(received.totals);
        }
        db.close().await;
        let db = Db::open(&target.url, Arc::clone(&target.clock)).await?;
        let mut settled = settle(&db, header.machine_id).await?;
        if load::has_lost(&db, &marker.restore).await? {
            settled.damaged = fsck::judge(&db, store.objects()).await?;
        }
        db.close().await;
        super::step("settled");
        remove(&target.marker).map_err(unmarked)?;
        Ok(Restored {
            header,
            totals,
            settled,
        })
    }
}

fn check_empty(objects: &dyn Objects) -> Result<()> {
    let taken = || {
        Error::conflict(
            "the store is not empty: a backup is restored into an empty data directory only",
        )
    };
    for space in [Space::Objects, Space::Manifests] {
        for prefix in 0..=u8::MAX {
            objects.list(space, prefix, &mut |_, _| Err(taken()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Marker>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::internal("the marker of a restore cannot be read", error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("the marker of a restore cannot be read", error)),
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

fn unmarked(error: io::Error) -> Error {
    io_error("it cannot be marked that a restore is under way", error)
}
