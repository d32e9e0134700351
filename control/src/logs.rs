//! Reading logs: of a run, or of one whose log is in the store.

use spawner::log::records;
use storage::{Hash, attempts, ids::JobId, jobs::Job};

use crate::{
    Control, Error, Machine, Result,
    log::{Line, Page},
};

/// A record is at most 64 KiB of text and some digits.
const RECORD_BYTES: usize = 80 * 1024;

/// The log of a run from byte `offset`, about `bytes` of it. A run that is gone has an empty, ended log.
pub(crate) async fn of_run(
    machine: &dyn Machine,
    run_id: &str,
    offset: u64,
    bytes: usize,
) -> Result<Page> {
    match machine.read_log(run_id, offset, bytes).await {
        Ok(chunk) => Ok(Page {
            items: chunk.records().map(Line::from).collect(),
            next: chunk.next,
            ended: chunk.ended,
        }),
        Err(Error::NotFound(_)) => Ok(Page {
            items: Vec::new(),
            next: offset,
            ended: true,
        }),
        Err(error) => Err(error),
    }
}

impl Control {
    /// The log of a job's last attempt from byte `offset`, about `bytes` of it.
    ///
    /// An empty page with `ended` false means "not yet": see [`Control::job_log_grown`].
    pub async fn job_log(&self, job: &Job, offset: u64, bytes: usize) -> Result<Page> {
        let Some(attempt) = attempts::latest(self.db(), job.id).await? else {
            return Ok(Page {
                items: Vec::new(),
                next: offset,
                ended: job.state.is_final(),
            });
        };
        if let Some(hash) = &attempt.log_hash {
            return self
                .stored_log(hash.parse()?, attempt.log_bytes, offset, bytes)
                .await;
        }
        let machine = self.host_of_attempt(&attempt)?;
        let mut page = of_run(&*machine, &attempt.run_id, offset, bytes).await?;
        // The run ends before the job does: what follows the exit is the job's own end.
        page.ended &= job.state.is_final();
        Ok(page)
    }

    /// Waits until a job's log may be longer than `offset`, or the job has moved on. Returns at once where nothing runs.
    pub async fn job_log_grown(&self, job_id: JobId, offset: u64) -> Result<()> {
        let Some(attempt) = attempts::latest(self.db(), job_id)
            .await?
            .filter(|attempt| attempt.log_hash.is_none())
        else {
            return Ok(());
        };
        let machine = self.host_of_attempt(&attempt)?;
        let Some(mut status) = machine.status(&attempt.run_id).await? else {
            return Ok(());
        };
        while status.exit.is_none() && status.log_bytes <= offset {
            status = machine.changed(&attempt.run_id, &status).await?;
        }
        Ok(())
    }

    async fn stored_log(
        &self,
        hash: Hash,
        log_bytes: i64,
        offset: u64,
        bytes: usize,
    ) -> Result<Page> {
        let size = u64::try_from(log_bytes).unwrap_or_default();
        let start = offset.min(size);
        let end = size.min(start + bytes.max(RECORD_BYTES) as u64);
        let content = self.store().read(hash, size, Some(start..end));
        let mut held = content.collect().await?;
        if end < size {
            let whole = held
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |last| last + 1);
            held.truncate(whole);
        }
        let next = start + held.len() as u64;
        Ok(Page {
            items: records(&held, start).map(Line::from).collect(),
            next,
            ended: next >= size,
        })
    }
}
