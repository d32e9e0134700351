//! The two mounts that show a manifest: its image, and over it the objects, as one read-only file system.
//!
//! Source: Linux `Documentation/filesystems/{erofs,overlayfs}.rst`; `fsopen(2)`, `fsconfig(2)`, `fsmount(2)`, `move_mount(2)`.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::{fmt, io};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};

/// What the kernel refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) errno: Errno,
    /// What it says of it.
    told: String,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        let told = String::new();
        Self { errno, told }
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        let kind = io::Error::from(refused.errno).kind();
        Self::new(kind, refused)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", io::Error::from(self.errno), self.told)
    }
}

impl std::error::Error for Refused {}

type Result<T> = std::result::Result<T, Refused>;

/// Whether the kernel lays one file system over another that is mounted nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lower {
    /// It does: since 6.15. A crash leaves nothing.
    Detached,
    /// The image is mounted in a folder of its own for that moment: since 6.12.
    Attached,
}

/// There are no times of access to keep, so nothing is spent on them.
const READ_ONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOATIME)
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Lays an image over `objects` and returns the mount, which is nowhere yet and goes away with the value.
///
/// `name` is what the table of mounts calls it. `aside` is the folder for [`Lower::Attached`]; it must be there and empty.
pub(super) fn make(
    image: &File,
    objects: &Path,
    name: &str,
    (lower, aside): (Lower, &Path),
) -> Result<OwnedFd> {
    let metadata = erofs(image)?;
    match lower {
        Lower::Detached => overlay(name, objects, |fs| {
            fsconfig_set_fd(fs, "lowerdir+", &metadata)
        }),
        Lower::Attached => {
            attach(&metadata, aside)?;
            let made = overlay(name, objects, |fs| {
                fsconfig_set_string(fs, "lowerdir+", aside)
            });
            detach(aside)?;
            made
        }
    }
}

/// Puts a mount in its place.
pub(super) fn attach(mount: &OwnedFd, place: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(mount, "", CWD, place, flags)?)
}

/// Takes away what is mounted at a place. Who has something of it open, or sees it elsewhere, keeps it.
pub(super) fn detach(place: &Path) -> Result<()> {
    Ok(unmount(
        place,
        UnmountFlags::DETACH | UnmountFlags::NOFOLLOW,
    )?)
}

/// Mounts the very file that was checked, whatever has its name by now.
fn erofs(image: &File) -> Result<OwnedFd> {
    let fs = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let source = format!("/proc/self/fd/{}", image.as_raw_fd());
    fsconfig_set_string(&fs, "source", source.as_str())
        .and_then(|()| finish(&fs))
        .map_err(|error| explain(&fs, error))
}

fn overlay(
    name: &str,
    objects: &Path,
    lower: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>,
) -> Result<OwnedFd> {
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |key: &str, value: &str| fsconfig_set_string(&fs, key, value);
    set("source", name)
        .and_then(|()| set("metacopy", "on"))
        .and_then(|()| set("redirect_dir", "on"))
        .and_then(|()| lower(&fs))
        .and_then(|()| fsconfig_set_string(&fs, "datadir+", objects))
        .and_then(|()| finish(&fs))
        .map_err(|error| explain(&fs, error))
}

fn finish(fs: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    fsconfig_set_flag(fs, "ro")?;
    fsconfig_create(fs)?;
    fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, READ_ONLY)
}

/// Adds what the kernel says of a failure.
fn explain(fs: impl AsFd, errno: Errno) -> Refused {
    let mut told = String::new();
    let mut buffer = [0; 512];
    // Each reading gives one message, and fails when there is none left.
    while let Ok(count @ 1..) = rustix::io::read(&fs, &mut buffer) {
        told.push_str("; ");
        told.push_str(String::from_utf8_lossy(&buffer[..count]).trim());
    }
    Refused { errno, told }
}
