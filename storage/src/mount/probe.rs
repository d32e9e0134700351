//! Which rung of the ladder this machine stands on, found out by mounting a small image.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::image;
use super::kernel::{self, Lower, Refused};
use crate::Result;
use crate::manifest::{Entry, Node};
use crate::materialise::Owner;
use crate::objects::{Hash, random_name, remove_tree};

/// How manifests are shown as folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// The kernel lays an image over the objects: a mount takes no time and no space.
    Kernel(Way),
    /// Trees of links or copies, built once for each manifest; and why.
    Farm(String),
}

/// How the kernel does it: a matter of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way(pub(super) Lower);

/// What the names of folders for trials begin with.
pub(super) const PREFIX: &str = ".probe-";
/// No trial takes as long.
const OLD: Duration = Duration::from_mins(1);

const TEXT: &[u8] = b"seen through both";

/// Finds out what the kernel does, by mounting an image in a fresh folder of `STORE/mnt`. `store` must be there. Leaves nothing. Blocks.
///
/// It takes `CAP_SYS_ADMIN` where the machine's own mounts are made, Linux 6.12, and its modules `erofs` and `overlay`.
pub fn probe(store: &Path) -> Rung {
    let mounts = store.join("mnt");
    let fresh = mounts.join(format!("{PREFIX}{}", random_name()));
    let made = match fs::create_dir(&mounts) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    let found = made.and_then(|()| attempt(&fresh));
    let found = found.unwrap_or_else(|error| Rung::Farm(reason(&error)));
    if let Err(error) = remove(&fresh) {
        tracing::warn!(folder = %fresh.display(), %error, "what was mounted on trial stays");
    }
    // Only where nothing was there before.
    drop(fs::remove_dir(&mounts));
    found
}

fn remove(fresh: &Path) -> io::Result<()> {
    super::clear(&fresh.join("aside"))?;
    remove_tree(fresh)
}

/// Removes what a probe left that was killed; one that goes on is younger.
pub(super) fn clear_old(fresh: &Path) -> io::Result<()> {
    let made = match fs::symlink_metadata(fresh) {
        Ok(found) => found.modified()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if made.elapsed().is_ok_and(|age| age > OLD) {
        return remove(fresh);
    }
    Ok(())
}

fn attempt(fresh: &Path) -> io::Result<Rung> {
    fs::create_dir(fresh)?;
    let hash = Hash::of(TEXT);
    let digits = hash.to_hex();
    let objects = fresh.join("objects");
    fs::create_dir_all(objects.join(&digits[..2]))?;
    fs::write(objects.join(&digits[..2]).join(&digits[2..]), TEXT)?;
    fs::create_dir(fresh.join("aside"))?;
    let image = small_image(&fresh.join("image"), hash).map_err(io::Error::other)?;
    match look(&image, fresh, Lower::Detached) {
        Ok(()) => return Ok(Rung::Kernel(Way(Lower::Detached))),
        // Without the privilege nothing else works either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        Err(_) => {}
    }
    look(&image, fresh, Lower::Attached)?;
    Ok(Rung::Kernel(Way(Lower::Attached)))
}

fn small_image(place: &Path, hash: Hash) -> Result<File, crate::Error> {
    let entry = Entry {
        path: "folder/file".to_owned(),
        node: Node::File {
            hash,
            size: TEXT.len() as u64,
            executable: false,
        },
    };
    let failed = |error| crate::objects::io_error("cannot make an image on trial", error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(place)
        .map_err(failed)?;
    let owner = Owner { uid: 0, gid: 0 };
    image::write(&file, &hash, owner, [Ok(entry)].into_iter())?;
    Ok(file)
}

/// Mounts the image and reads the file, without putting it anywhere.
fn look(image: &File, fresh: &Path, lower: Lower) -> io::Result<()> {
    let objects = fresh.join("objects");
    let aside = fresh.join("aside");
    let mount = kernel::make(image, &objects, "cairn-trial", (lower, &aside))?;
    let how = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&mount, "folder/file", how, Mode::empty())?;
    let mut text = Vec::new();
    File::from(file).read_to_end(&mut text)?;
    if text == TEXT {
        return Ok(());
    }
    Err(io::Error::other("a mounted file has other content"))
}

fn reason(error: &io::Error) -> String {
    let refused = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Refused>());
    let known = match refused.map(|refused| refused.errno) {
        Some(Errno::PERM) => "this user may not mount",
        Some(Errno::NODEV) => "the kernel has no EROFS or no overlayfs (modules erofs, overlay)",
        Some(Errno::NOTBLK) => {
            "the kernel mounts no image that is a file: Linux 6.12 does (CONFIG_EROFS_FS_BACKED_BY_FILE)"
        }
        Some(Errno::NOSYS) => "the kernel has no fsopen: Linux 5.2 has",
        _ => return error.to_string(),
    };
    known.to_owned()
}
