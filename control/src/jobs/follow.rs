//! Follows a running attempt's log and keeps the metadata that it prints: each point exactly once, also across restarts.

use std::time::Duration;

use storage::{
    attempts::Attempt,
    jobs,
    series::{self, Appended, Batch},
};

use crate::{
    Control, Error, Machine, Result,
    metadata::{Found, Reader},
};

/// Bytes of log read at once.
const CHUNK_BYTES: usize = 1 << 20;
/// At most this often is metadata written.
pub(super) const PAUSE: Duration = Duration::from_millis(400);

/// Where the following of one attempt's log has come to.
pub(super) struct Follower<'a> {
    control: &'a Control,
    machine: &'a dyn Machine,
    attempt: &'a Attempt,
    reader: Reader,
    /// Offset and lines that the records say.
    settled: (i64, i64),
    /// Where to read on; ahead of what the reader has settled while a line is in parts.
    at: u64,
}

impl<'a> Follower<'a> {
    /// Goes on from where the records say that an earlier follower was.
    pub(super) fn new(
        control: &'a Control,
        machine: &'a dyn Machine,
        attempt: &'a Attempt,
    ) -> Self {
        let offset = u64::try_from(attempt.metadata_offset).unwrap_or_default();
        Self {
            control,
            machine,
            attempt,
            reader: Reader::new(offset, attempt.metadata_lines),
            settled: (attempt.metadata_offset, attempt.metadata_lines),
            at: offset,
        }
    }

    /// Takes in everything that the log holds now. The points and the place they lead to are written in one transaction.
    pub(super) async fn catch_up(&mut self) -> Result<()> {
        loop {
            let chunk = self
                .machine
                .read_log(&self.attempt.run_id, self.at, CHUNK_BYTES)
                .await?;
            if chunk.bytes.is_empty() {
                return Ok(());
            }
            let found = self.reader.read(chunk.records(), chunk.next);
            self.at = chunk.next;
            if !found.is_empty() {
                self.keep(found).await?;
            }
        }
    }

    async fn keep(&mut self, found: Found) -> Result<()> {
        let batch = Batch {
            from_offset: self.settled.0,
            to_offset: super::signed(self.reader.offset),
            lines: self.reader.lines - self.settled.1,
            latest: found.latest,
            points: found.points.into_iter().collect(),
        };
        let (id, batch) = (self.attempt.id, &batch);
        let kept = self
            .control
            .db()
            .write(move |mut tx| async move { series::append(&mut tx, id, batch).await });
        match kept.await? {
            Appended::Recorded { keys_left_out } if keys_left_out > 0 => {
                tracing::debug!(job.id = %self.attempt.job_id, keys_left_out, "some metadata is in the log only");
            }
            Appended::Recorded { .. } => {}
            Appended::Refused => {
                return Err(Error::conflict(
                    "somebody else follows this attempt, or it is over",
                ));
            }
        }
        self.settled = (super::signed(self.reader.offset), self.reader.lines);
        Ok(())
    }
}

/// Whether somebody asked the job to stop.
pub(super) async fn stop_asked(control: &Control, id: storage::ids::JobId) -> Result<bool> {
    Ok(jobs::get(control.db(), id)
        .await?
        .is_none_or(|job| job.state != jobs::State::Started))
}
