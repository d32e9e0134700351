//! The crate's only unsafe code: naming descriptors that an `exec` handed down by number.

use std::fs::OpenOptions;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Keeps an inherited descriptor from being handed down once more.
#[expect(
    unsafe_code,
    reason = "a number from the argument list has no owner in this process"
)]
pub(crate) fn close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: the descriptor is only used for this call, which answers EBADF if it is not open; nothing in this process closes it.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(fcntl_setfd(fd, FdFlags::CLOEXEC)?)
}

/// Puts `/dev/null` in the place of standard streams (0, 1, 2).
#[expect(
    unsafe_code,
    reason = "the standard library lends the standard streams but does not let them be exchanged"
)]
pub(crate) fn silence(streams: &[RawFd]) -> io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    for number in streams {
        // SAFETY: the number stays open throughout: dup2 exchanges what it means in one step, and this owner never drops it.
        let mut stream = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(*number) });
        rustix::io::dup2(&null, &mut stream)?;
    }
    Ok(())
}

/// Gives the calling process its own mount table.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "rustix marks unshare unsafe for flags that split descriptor tables; this one does not"
)]
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: NEWNS changes the view of the file system only; no descriptor changes its meaning.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }?;
    Ok(())
}

/// Leaves a descriptor open for the program that this process is about to become.
pub(crate) fn hand_down(fd: OwnedFd) {
    let _: RawFd = fd.into_raw_fd();
}
