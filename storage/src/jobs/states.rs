//! How jobs move on. Each function compares what it was told with what is stored, and changes nothing where they differ; so an attempt
//! that is not the job's live one cannot change anything.

use serde::Serialize;

use super::{Job, Outputs, State, changed, missing};
use crate::attempts::{self, Attempt};
use crate::db::{Tx, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::{AttemptId, JobId};
use crate::{holds, tokens};

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// One of the final states.
    pub state: State,
    /// See [`Job::message`].
    pub message: Option<String>,
    /// See [`Job::exit_code`].
    pub exit_code: Option<i64>,
    /// See [`Job::signal`].
    pub signal: Option<i64>,
    /// See [`Job::outputs`].
    pub outputs: Option<Outputs>,
    /// The hash of the attempt's log, where the store has it.
    pub log_hash: Option<String>,
    /// How long the log is.
    pub log_bytes: i64,
}

/// What a request to stop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The job had not begun, and has ended.
    Stopped,
    /// Its attempt is to be ended, now or since an earlier request.
    Stopping,
    /// It had ended already.
    Over,
}

/// Puts a job that is ready into the queue. Returns whether it was in `created`.
pub async fn enqueue(tx: &mut Tx, id: JobId) -> Result<bool> {
    let text =
        "UPDATE jobs SET state = 'queued', queued_ms = $2 WHERE id = $1 AND state = 'created'";
    let moved = execute(tx, sql(text).bind(id).bind(tx.now_ms())).await? > 0;
    if moved {
        changed(tx, id).await?;
    }
    Ok(moved)
}

/// Takes this job out of the queue and begins an attempt at it; `None` where it does not wait any more.
pub async fn claim_job(tx: &mut Tx, id: JobId) -> Result<Option<(Job, Attempt)>> {
    let text = "UPDATE jobs SET state = 'started', started_ms = $2, message = NULL WHERE id = $1 AND state = 'queued'";
    if execute(tx, sql(text).bind(id).bind(tx.now_ms())).await? == 0 {
        return Ok(None);
    }
    begin(tx, id).await.map(Some)
}

async fn begin(tx: &mut Tx, id: JobId) -> Result<(Job, Attempt)> {
    let attempt = attempts::begin(tx, id).await?;
    Ok((changed(tx, id).await?, attempt))
}

/// Asks for a job to stop. Asking twice is as asking once.
///
/// # Errors
/// `NotFound` for an unknown job.
pub async fn request_stop(tx: &mut Tx, id: JobId) -> Result<Stop> {
    let waits = "UPDATE jobs SET state = 'stopped', message = 'stopped before it began', stop_requested_ms = $2, ended_ms = $2 \
         WHERE id = $1 AND state IN ('created', 'queued')";
    if execute(tx, sql(waits).bind(id).bind(tx.now_ms())).await? > 0 {
        return over(tx, id).await.map(|()| Stop::Stopped);
    }
    let runs = "UPDATE jobs SET state = 'stopping', stop_requested_ms = $2 WHERE id = $1 AND state = 'started'";
    if execute(tx, sql(runs).bind(id).bind(tx.now_ms())).await? > 0 {
        changed(tx, id).await?;
        return Ok(Stop::Stopping);
    }
    let text = "SELECT state FROM jobs WHERE id = $1";
    let state: State = optional::<String>(tx, sql(text).bind(id))
        .await?
        .ok_or_else(missing)?
        .parse()?;
    Ok(if state.is_final() {
        Stop::Over
    } else {
        Stop::Stopping
    })
}

/// Ends a job with what its live attempt reports. Returns whether it did: not a second time, and not for an attempt that is not live.
///
/// The attempt ends, the outputs are recorded and the tokens made for the job die in the same transaction.
///
/// # Errors
/// `Invalid` for a state that ends nothing.
pub async fn finish(tx: &mut Tx, attempt: AttemptId, ending: &Ending) -> Result<bool> {
    final_state(ending.state)?;
    let Some(id) = attempts::end(tx, attempt, ending.log_hash.as_deref(), ending.log_bytes).await?
    else {
        return Ok(false);
    };
    let text = "UPDATE jobs SET state = $2, message = $3, exit_code = $4, signal = $5, ended_ms = $6 \
         WHERE id = $1 AND state IN ('started', 'stopping')";
    let query = sql(text)
        .bind(id)
        .bind(ending.state.as_str())
        .bind(ending.message.clone())
        .bind(ending.exit_code);
    if execute(tx, query.bind(ending.signal).bind(tx.now_ms())).await? == 0 {
        return Err(Error::fault("a job with a live attempt was not running"));
    }
    if let Some(outputs) = &ending.outputs {
        record_outputs(tx, id, outputs).await?;
    }
    over(tx, id).await?;
    Ok(true)
}

/// Ends a job that no attempt has begun, because it cannot be carried out. Returns whether it still waited.
///
/// # Errors
/// `Invalid` for a state that ends nothing.
pub async fn end_without_attempt(
    tx: &mut Tx,
    id: JobId,
    state: State,
    message: &str,
) -> Result<bool> {
    final_state(state)?;
    let text = "UPDATE jobs SET state = $2, message = $3, ended_ms = $4 WHERE id = $1 AND state IN ('created', 'queued')";
    let ended = execute(
        tx,
        sql(text)
            .bind(id)
            .bind(state.as_str())
            .bind(message)
            .bind(tx.now_ms()),
    )
    .await?
        > 0;
    if ended {
        over(tx, id).await?;
    }
    Ok(ended)
}

/// Gives up an attempt that was lost and queues its job again, or ends the job if somebody asked to stop it.
/// Returns whether the attempt was live.
pub async fn requeue(tx: &mut Tx, attempt: AttemptId, message: &str) -> Result<bool> {
    let Some(id) = attempts::end(tx, attempt, None, 0).await? else {
        return Ok(false);
    };
    let text = "UPDATE jobs SET state = CASE WHEN stop_requested_ms IS NULL THEN 'queued' ELSE 'stopped' END, \
         ended_ms = CASE WHEN stop_requested_ms IS NULL THEN NULL ELSE $3 END, message = $2, started_ms = NULL WHERE id = $1";
    execute(tx, sql(text).bind(id).bind(message).bind(tx.now_ms())).await?;
    over(tx, id).await?;
    Ok(true)
}

/// Ends a live attempt that failed and queues its job again, where it may be tried once more and nobody asked to stop it. Returns whether it did;
/// else nothing has changed.
///
/// What the attempt left besides its log is not kept: the outputs of a job are those of its last attempt.
pub async fn retry(tx: &mut Tx, attempt: AttemptId, ending: &Ending) -> Result<bool> {
    let text = "UPDATE jobs SET state = 'queued', queued_ms = $2, started_ms = NULL, message = $3, failures = failures + 1 \
         WHERE id = (SELECT job_id FROM attempts WHERE id = $1 AND state = 'live') AND failures < retries AND state = 'started'";
    let query = sql(text).bind(attempt).bind(tx.now_ms());
    if execute(tx, query.bind(ending.message.clone())).await? == 0 {
        return Ok(false);
    }
    let id = attempts::end(tx, attempt, ending.log_hash.as_deref(), ending.log_bytes)
        .await?
        .ok_or_else(|| Error::fault("a live attempt had ended"))?;
    over(tx, id).await?;
    Ok(true)
}

async fn record_outputs(tx: &mut Tx, id: JobId, outputs: &Outputs) -> Result<()> {
    let skipped = serde_json::to_string(&outputs.skipped)
        .map_err(|error| Error::internal("a list of paths is not JSON", error))?;
    let text = "INSERT INTO job_outputs (job_id, manifest_digest, content_digest, files, bytes, skipped) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sql(text)
        .bind(id)
        .bind(outputs.manifest_digest.as_str())
        .bind(outputs.content_digest.as_str());
    execute(
        tx,
        query.bind(outputs.files).bind(outputs.bytes).bind(skipped),
    )
    .await?;
    Ok(())
}

/// Nothing acts for the job any more.
async fn over(tx: &mut Tx, id: JobId) -> Result<()> {
    tokens::revoke_of_job(tx, id).await?;
    holds::lose(tx, id).await?;
    changed(tx, id).await.map(|_| ())
}

fn final_state(state: State) -> Result<()> {
    if state.is_final() {
        Ok(())
    } else {
        Err(Error::invalid(format!("{state} does not end a job")))
    }
}
