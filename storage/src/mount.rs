//! Manifests as read-only folders that cost the same whatever is in them: the kernel shows the store's own objects under the manifest's names.
//! Where it cannot, the ladder's last rung is a farm (`materialise`).
//!
//! One mount for each manifest, in `STORE/mnt/DIGEST`, for all who ask. Mounts belong to the kernel: they outlive this process, and the next one
//! finds them. Who uses them says so in [`Mounts::keep`]; nothing is counted that a crash could lose.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Result;
use crate::materialise::{Builds, Link, farm};
use crate::objects::{Hash, Store, blocking, io_error};

mod epoch;
mod image;
mod images;
mod kernel;
mod probe;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use epoch::{begin as begin_epoch, begin_room, now as epoch};
pub(crate) use images::IMAGE;
pub use probe::{Rung, probe};

use images::Seen;
use kernel::Lower;

/// Shows manifests of one store. Cheap to clone.
#[derive(Clone)]
pub struct Mounts {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    rung: Rung,
    /// `STORE/mnt` without symbolic links, as the table of mounts has it.
    folder: PathBuf,
    builds: Builds<Hash>,
    seen: Seen,
}

impl Mounts {
    /// Shows manifests of `store` as `rung` says, which [`probe`] finds out; mounts nothing yet.
    ///
    /// # Errors
    /// As the file system's, for the folder of mounts.
    pub async fn open(store: &Store, rung: Rung) -> Result<Self> {
        let store = store.clone();
        blocking(move || {
            let folder = store.within("mnt");
            let failed = |error| io_error("cannot make the folder of mounts", error);
            fs::create_dir_all(&folder).map_err(failed)?;
            let folder = folder.canonicalize().map_err(failed)?;
            let inner = Inner {
                store,
                rung,
                folder,
                builds: Builds::default(),
                seen: Seen::default(),
            };
            Ok(Self {
                inner: Arc::new(inner),
            })
        })
        .await
    }

    /// How manifests are shown.
    pub fn rung(&self) -> &Rung {
        &self.inner.rung
    }

    /// The store that the manifests are of.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Returns a read-only folder of a manifest, mounting it when it is not mounted; a farm of `link` where the kernel mounts none.
    ///
    /// Requests for one manifest share one mount. A mount is `nosuid`, `nodev` and `noexec`, and read-only to everybody; files are 0444 or 0555,
    /// folders 0555, owned by the user of this process. All objects are there when a mount is made; they were checked against their hashes as they
    /// came into the store, and are not read again. After [`crate::fsck::set_aside`] mounts are made anew for whoever comes. Dropping the future lets the work run to its end.
    ///
    /// # Errors
    /// `NotFound` without such a manifest, `Internal` when an object is missing or something else is mounted there, `Unavailable` when the
    /// disk is full.
    pub async fn folder(&self, manifest_digest: Hash, link: Link) -> Result<PathBuf> {
        let Rung::Kernel(lower) = self.inner.rung else {
            return farm(&self.inner.store, manifest_digest, link).await;
        };
        let lock = self.inner.builds.lock(manifest_digest);
        let guard = lock.lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let mounted = blocking(move || {
            let _guard = guard;
            inner.mount(&manifest_digest, lower.0)
        });
        match mounted.await? {
            Ok(place) => Ok(place),
            Err(error) => {
                tracing::warn!(manifest = %manifest_digest, %error, "a manifest cannot be mounted: its tree is built");
                farm(&self.inner.store, manifest_digest, link).await
            }
        }
    }

    /// Unmounts all but these, and what a crash left half-made. What is being mounted now stays. Who sees a mount elsewhere, or has something of
    /// it open, keeps that.
    ///
    /// # Errors
    /// The first that could not be unmounted; the others are gone all the same.
    pub async fn keep(&self, digests: HashSet<Hash>) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.sweep(&digests)).await
    }
}

impl Inner {
    /// The outer error is of the store, the inner one of the kernel.
    fn mount(&self, digest: &Hash, lower: Lower) -> Result<io::Result<PathBuf>> {
        let place = self.folder.join(digest.to_string());
        let failed = |error| io_error(format!("cannot mount {digest}"), error);
        let seen = source(digest, &epoch::shown(&self.store).map_err(failed)?);
        if !matches!(look(&place, &seen).map_err(failed)?, There::Ours) {
            // Before anybody has to wait for this one to be mounted.
            images::bring_all(&self.store, digest)?;
        }
        let showing = self.store.showing();
        // What is there now is there until it is mounted, and afterwards for being mounted.
        let _showing = showing.read();
        let epoch = epoch::shown(&self.store).map_err(failed)?;
        let source = source(digest, &epoch);
        match look(&place, &source).map_err(failed)? {
            There::Ours => return Ok(Ok(place)),
            // Whoever is shown that keeps it; who comes now is shown what is checked now.
            There::Older => clear(&place).map_err(failed)?,
            There::Nothing => {}
        }
        let image = images::open(&self.store, (&self.seen, &epoch), digest)?;
        let aside = self.folder.join(format!(".{digest}"));
        clear(&aside).map_err(failed)?;
        closed(&place)
            .and_then(|()| fs::create_dir(&aside))
            .map_err(failed)?;
        let objects = self.store.within("objects");
        let made = kernel::make(&image, &objects, &source, (lower, &aside))
            .and_then(|mount| kernel::attach(&mount, &place))
            .map_err(io::Error::from);
        clear(&aside).map_err(failed)?;
        if made.is_err() {
            clear(&place).map_err(failed)?;
        }
        Ok(made.map(|()| place))
    }

    fn sweep(&self, kept: &HashSet<Hash>) -> Result<()> {
        let failed = |error| io_error("cannot unmount", error);
        let mut outcome = Ok(());
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(probe::PREFIX) {
                outcome = outcome.and(probe::clear_old(&entry.path()).map_err(failed));
                continue;
            }
            let Ok(digest) = name.trim_start_matches('.').parse::<Hash>() else {
                continue;
            };
            if kept.contains(&digest) && !name.starts_with('.') {
                continue;
            }
            let lock = self.builds.lock(digest);
            let Ok(_guard) = lock.try_lock() else {
                continue;
            };
            let cleared = clear(&entry.path()).map_err(|error| {
                io_error(format!("cannot unmount {}", entry.path().display()), error)
            });
            outcome = outcome.and(cleared);
        }
        outcome
    }
}

const OURS: &str = "cairn-";

/// What the table of mounts calls a mount of ours: made by this writer of images, while the store's objects were what they are.
fn source(digest: &Hash, epoch: &str) -> String {
    format!("{OURS}{}-{epoch}-{digest}", image::VERSION)
}

/// What is mounted at a place of ours.
enum There {
    Nothing,
    Ours,
    /// Of another writer, or from before objects were put aside.
    Older,
}

/// Anything that Cairn did not mount there is an error: it is not shown to anybody.
fn look(place: &Path, source: &str) -> io::Result<There> {
    if !fs::symlink_metadata(place).is_ok_and(|found| found.is_dir()) {
        return Ok(There::Nothing);
    }
    let around = place.parent().unwrap_or(place);
    let mut there = table::below(around)?;
    there.retain(|mounted| mounted.place == place);
    // What was mounted last hides what is below it.
    let Some(mounted) = there.pop() else {
        return Ok(There::Nothing);
    };
    let is_ours = mounted.kind == "overlay" && mounted.source.starts_with(OURS);
    match is_ours && mounted.read_only {
        true if mounted.source == source => Ok(There::Ours),
        true => Ok(There::Older),
        false => Err(io::Error::other(format!(
            "{:?} of type {} is mounted there, which Cairn did not do: unmount it",
            mounted.source, mounted.kind
        ))),
    }
}

/// Makes the folder that is mounted over. Nobody may enter it: who is shown it without the mount gets an error and not an empty input.
fn closed(place: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o000).create(place) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(place, fs::Permissions::from_mode(0o000))
        }
        other => other,
    }
}

/// Unmounts what is at a place, and removes the folder, so that nobody is shown an empty one.
fn clear(place: &Path) -> io::Result<()> {
    loop {
        match fs::remove_dir(place) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => kernel::detach(place)?,
            Err(error) => return Err(error),
        }
    }
}
