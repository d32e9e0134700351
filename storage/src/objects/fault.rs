//! Turns what the file system says into the crate's error, in one place.

use std::io;

use crate::Error;

/// Names what was tried and sorts the cause: a full disk and exhausted descriptors can pass, everything else is a fault.
pub(crate) fn io_error(what: impl Into<String>, error: io::Error) -> Error {
    let what = what.into();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::unavailable(format!("{what}: the disk is full"), error)
        }
        io::ErrorKind::CrossesDevices => Error::internal(
            format!("{what}: the store and its staging folder must be on one file system"),
            error,
        ),
        _ if matches!(
            error
                .raw_os_error()
                .map(rustix::io::Errno::from_raw_os_error),
            Some(
                rustix::io::Errno::MFILE
                    | rustix::io::Errno::NFILE
                    | rustix::io::Errno::AGAIN
                    | rustix::io::Errno::NOMEM
            )
        ) =>
        {
            Error::unavailable(what, error)
        }
        _ => Error::internal(what, error),
    }
}

/// What is stored is not what was stored.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::fault(format!("the store is damaged: {what}"))
}

/// Whether an error of reading says that what is stored is missing or is not what was stored. Not so where the system could not read it, which may
/// be over in a moment, nor where the work was told to stop.
pub(crate) fn is_lost(error: &Error) -> bool {
    let first = std::error::Error::source(error);
    let mut causes = std::iter::successors(first, |cause| cause.source());
    let of_system = causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.raw_os_error().is_some())
    });
    !error.retryable() && !matches!(error, Error::Conflict(_)) && !of_system
}
