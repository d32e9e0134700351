//! The seam: what every runtime does, and the contract it keeps.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Handle, LogChunk, Result, Spec, Status};

/// Starts, finds, watches and stops runs on one machine.
///
/// A **run** is one carrying-out of a [`Spec`]: a command, all that it starts, and its log. Its phases go one way:
///
/// ```text
/// Starting ──> Running ──> Exited
///     └────────────────────^        (start failed, stopped early)
/// ```
///
/// * **Independence.** A run belongs to the machine, not to the caller: it goes on when the caller exits, crashes or is replaced by another
///   version. Whoever opens a runtime over the same folders later finds every run with [`list`](Self::list), and may use a [`Handle`] kept from
///   before. Any number of callers, also in several processes, may use one run at a time; every method may be called in every phase.
/// * **One end.** A run that was accepted ends in exactly one [`Exit`](crate::Exit), written durably before anyone is told, which never changes
///   afterwards. By then nothing of it runs, and its log is complete.
/// * **Log.** What the work had written to its stdout and stderr when it was killed, or when the caller was, is in the log. The file only
///   grows; an offset stays valid until [`remove`](Self::remove).
/// * **Unknown runs** are no error: status is `None`, stop and remove do nothing.
/// * **Cancellation.** Dropping any of these futures undoes nothing: what was begun goes on and may be asked for again.
///
/// [`crate::conformance`] holds an implementation to all of this.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// The runtime's name, as in [`Handle::runtime`].
    fn name(&self) -> &'static str;

    /// Starts a run and returns once something else than the caller looks after it.
    ///
    /// Does not wait for the command to begin or answer: follow [`changed`](Self::changed). A failure to start (no such program, no such mount,
    /// no sandbox) is an [`Exit`](crate::Exit) with [`Reason::StartFailed`](crate::Reason), found there too.
    ///
    /// Idempotent by `spec.id`: a second call, at the same time or years later, gives the same handle and starts nothing, also when the run has
    /// ended; the rest of the second spec is ignored.
    ///
    /// # Errors
    /// `Invalid` if the spec can never work here; `Unavailable` if the machine is short of something. Then nothing is left behind.
    async fn start(&self, spec: Spec) -> Result<Handle>;

    /// Every run on this machine that was not removed, in any phase, in no order.
    async fn list(&self) -> Result<Vec<Handle>>;

    /// The run now, or `None` if there is none (any more).
    ///
    /// # Errors
    /// `Unavailable` if it is there but cannot be asked now.
    async fn status(&self, handle: &Handle) -> Result<Option<Status>>;

    /// Waits until the status differs from `seen`, then returns it; at once if it differs already or is [`Phase::Exited`](crate::Phase).
    ///
    /// Several changes may be seen as one, and changes of `log_bytes` alone are reported some 50 ms late, together.
    ///
    /// # Errors
    /// `NotFound` for an unknown run.
    async fn changed(&self, handle: &Handle, seen: &Status) -> Result<Status>;

    /// Ends a run: SIGTERM to all its processes, after `grace` SIGKILL to all that are left. Returns once it has exited.
    ///
    /// Stopping what has exited or is unknown is fine. A second call at the same time may shorten the grace, never lengthen it.
    ///
    /// # Errors
    /// `Unavailable` if it would not end.
    async fn stop(&self, handle: &Handle, grace: Duration) -> Result<()>;

    /// Forgets an exited run: its log, its record and what it held of the machine. Unknown is fine. The mounts' sources are not touched.
    ///
    /// # Errors
    /// `Conflict` while it runs.
    async fn remove(&self, handle: &Handle) -> Result<()>;

    /// Reads whole log records from byte `offset`, about `max_bytes` of them, at least one if there is one. See [`crate::log`] for the format.
    ///
    /// An offset inside a record is moved to the next record. Never waits: an empty chunk with `ended` false means "not yet".
    ///
    /// # Errors
    /// `NotFound` for an unknown run.
    async fn read_log(&self, handle: &Handle, offset: u64, max_bytes: usize) -> Result<LogChunk>;

    /// The unix socket of a run with an endpoint, as this machine sees it. The work cannot replace it by a link to somewhere else.
    ///
    /// `None` if it has no endpoint or is not ready.
    async fn address(&self, handle: &Handle) -> Result<Option<PathBuf>>;

    /// The log as a file, for handing it over to the store after the exit. May not exist.
    fn log_path(&self, handle: &Handle) -> Option<PathBuf>;

    /// The uid and gid that own the files of a run with this [`Spec::uid_slot`], or `None` if that is the caller's own.
    ///
    /// # Errors
    /// `Invalid` if the slot is beyond the configured range.
    fn owner(&self, uid_slot: Option<u32>) -> Result<Option<(u32, u32)>>;
}
