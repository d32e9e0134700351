//! The part of a file's status that tells whether its content may have changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What must be equal for content to count as unchanged. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
    pub(crate) executable: bool,
}

impl From<&Metadata> for Stat {
    fn from(found: &Metadata) -> Self {
        Self {
            dev: found.dev(),
            ino: found.ino(),
            size: found.len(),
            mtime_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
            ctime_ns: nanoseconds(found.ctime(), found.ctime_nsec()),
            executable: found.mode() & 0o100 != 0,
        }
    }
}

#[expect(
    clippy::unnecessary_cast,
    reason = "the types of these fields differ between systems"
)]
#[expect(
    clippy::cast_possible_wrap,
    reason = "nanoseconds are below a thousand million"
)]
impl From<&rustix::fs::Stat> for Stat {
    fn from(found: &rustix::fs::Stat) -> Self {
        Self {
            dev: found.st_dev as u64,
            ino: found.st_ino as u64,
            size: u64::try_from(found.st_size).unwrap_or(0),
            mtime_ns: nanoseconds(found.st_mtime as i64, found.st_mtime_nsec as i64),
            ctime_ns: nanoseconds(found.st_ctime as i64, found.st_ctime_nsec as i64),
            executable: found.st_mode as u32 & 0o100 != 0,
        }
    }
}

impl Stat {
    /// The later of the two times: nothing changed the file after it, as far as the clock tells.
    pub(crate) fn touched_ns(&self) -> i64 {
        self.mtime_ns.max(self.ctime_ns)
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}
