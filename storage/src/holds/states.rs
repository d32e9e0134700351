//! How holds move on: each function compares what it was told with what is stored, and tells of it in the same transaction.

use super::{Hold, MOST_MS, Notebook, State, current, get};
use crate::db::{Tx, execute, sql};
use crate::error::{Error, Result};
use crate::ids::{JobId, UserId};
use crate::jobs::{self, Job};
use crate::objects::{number, record_one};

/// The most holds of one attempt: its run, which anything in the job can speak for, must not fill the database.
const MOST: i64 = 100;

/// What a run says of itself when it is held.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// See [`Hold::number`].
    pub number: i64,
    /// See [`Hold::cell_number`].
    pub cell_number: i64,
    /// See [`Hold::cells`].
    pub cells: i64,
    /// See [`Hold::title`].
    pub title: String,
    /// See [`Hold::ename`].
    pub ename: String,
    /// See [`Hold::message`].
    pub message: String,
    /// How long the run waits from now on.
    pub limit_ms: i64,
}

/// How to go on.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// Who says so.
    pub user_id: UserId,
    /// The corrected notebook, which is in the store; none to try the cell again as it was.
    pub notebook: Option<Notebook>,
}

/// Records that the job's live attempt is held. Telling it twice is as telling it once; an earlier hold that is still open is over.
///
/// # Errors
/// `Conflict` where the job does not run, may not be held or is being stopped, or where this hold is over; `Invalid` for numbers that are none.
pub async fn open(tx: &mut Tx, job_id: JobId, new: &NewHold) -> Result<Hold> {
    let is_sound =
        (1..=MOST).contains(&new.number) && new.cell_number >= 1 && new.cells >= new.cell_number;
    if !is_sound || !(1..=MOST_MS).contains(&new.limit_ms) {
        return Err(Error::invalid("this hold has numbers that cannot be"));
    }
    let job = job(tx, job_id).await?;
    let may_last_ms = match job.hold_ms {
        Some(hold_ms) if job.state == jobs::State::Started => hold_ms,
        _ => return Err(Error::conflict("this job is not to be held")),
    };
    if let Some(known) = get(&mut *tx, job_id, job.attempt, new.number).await? {
        return if known.state.is_open() {
            Ok(known)
        } else {
            Err(Error::conflict("this hold is over"))
        };
    }
    // The word that the hold before is over has not come through, and the run is further: it went on with the answer that there was.
    let before = "UPDATE job_holds SET state = CASE WHEN state = 'answered' THEN 'resumed' ELSE 'lost' END, ended_ms = $2 \
         WHERE job_id = $1 AND ended_ms IS NULL";
    execute(tx, sql(before).bind(job_id).bind(tx.now_ms())).await?;
    let text = "INSERT INTO job_holds (job_id, attempt, number, state, cell_number, cells, title, ename, message, held_ms, until_ms, answers) \
         VALUES ($1, $2, $3, 'held', $4, $5, $6, $7, $8, $9, $10, 0) ON CONFLICT DO NOTHING";
    let query = sql(text).bind(job_id).bind(job.attempt).bind(new.number);
    let query = query.bind(new.cell_number).bind(new.cells);
    let query = query
        .bind(new.title.as_str())
        .bind(new.ename.as_str())
        .bind(new.message.as_str());
    let until_ms = tx.now_ms() + new.limit_ms.min(may_last_ms);
    execute(tx, query.bind(tx.now_ms()).bind(until_ms)).await?;
    told(tx, &job).await
}

/// Says how the run that is held goes on.
///
/// # Errors
/// `Conflict` where the job is not held, is being stopped, or was answered already; `NotFound` for an unknown job.
pub async fn answer(tx: &mut Tx, job_id: JobId, answered: &Answered) -> Result<Hold> {
    let job = job(tx, job_id).await?;
    if let Some(Notebook { hash, bytes }) = answered.notebook {
        record_one(tx, job.project_id, (hash, bytes)).await?;
    }
    let text = "UPDATE job_holds SET state = 'answered', answers = answers + 1, answered_ms = $2, resumed_by = $3, notebook_hash = $4, \
         notebook_bytes = $5, refused = NULL WHERE job_id = $1 AND state = 'held' \
         AND EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND state = 'started')";
    let query = sql(text).bind(job_id).bind(tx.now_ms());
    let query = query.bind(answered.user_id);
    let query = query.bind(answered.notebook.map(|one| one.hash.to_hex()));
    let query = query.bind(answered.notebook.map(|one| number(one.bytes)));
    if execute(tx, query).await? == 0 {
        let open = current(&mut *tx, job_id).await?;
        return Err(Error::conflict(match open {
            Some(hold) if hold.state == State::Answered => {
                "this job is being resumed already: wait until its run has taken that in"
            }
            Some(_) => "this job is being stopped",
            None => {
                "this job is not held: only one that waits at a cell that failed can be resumed"
            }
        }));
    }
    told(tx, &job).await
}

/// Records that the run could not use an answer, and is still held. Returns whether that was news.
pub async fn refuse(
    tx: &mut Tx,
    job_id: JobId,
    (hold, answer): (i64, i64),
    why: &str,
) -> Result<bool> {
    let job = job(tx, job_id).await?;
    let text = "UPDATE job_holds SET state = 'held', refused = $5, notebook_hash = NULL, notebook_bytes = NULL \
         WHERE job_id = $1 AND attempt = $2 AND number = $3 AND answers = $4 AND state = 'answered'";
    let query = sql(text).bind(job_id).bind(job.attempt).bind(hold);
    let is_news = execute(tx, query.bind(answer).bind(why)).await? > 0;
    if is_news {
        jobs::notice(tx, &job, crate::events::Kind::JobChanged);
    }
    Ok(is_news)
}

/// Ends a hold of the job's latest attempt. Ending it twice is as ending it once.
///
/// # Errors
/// `Conflict` where it cannot end so: it expired but was answered just before, or went on without an answer, or where there is no such hold.
pub async fn end(tx: &mut Tx, job_id: JobId, hold: i64, how: State) -> Result<()> {
    let job = job(tx, job_id).await?;
    let text = match how {
        State::Resumed => {
            "UPDATE job_holds SET state = $4, ended_ms = $5 WHERE job_id = $1 AND attempt = $2 AND number = $3 AND state = 'answered'"
        }
        State::Expired => {
            "UPDATE job_holds SET state = $4, ended_ms = $5 WHERE job_id = $1 AND attempt = $2 AND number = $3 AND state = 'held'"
        }
        State::Stopped | State::Died => {
            "UPDATE job_holds SET state = $4, ended_ms = $5 WHERE job_id = $1 AND attempt = $2 AND number = $3 AND ended_ms IS NULL"
        }
        State::Held | State::Answered | State::Lost => {
            return Err(Error::invalid(format!("{how} does not end a hold")));
        }
    };
    let query = sql(text).bind(job_id).bind(job.attempt).bind(hold);
    if execute(tx, query.bind(how.as_str()).bind(tx.now_ms())).await? > 0 {
        jobs::notice(tx, &job, crate::events::Kind::JobChanged);
        return Ok(());
    }
    match get(&mut *tx, job_id, job.attempt, hold).await? {
        Some(known) if !known.state.is_open() => Ok(()),
        Some(_) => Err(Error::conflict("an answer came before: ask for it")),
        None => Err(Error::conflict("there is no such hold")),
    }
}

/// Ends the open hold of a job whose attempt is over. Whether one that was answered went on nobody can say any more.
pub(crate) async fn lose(tx: &mut Tx, job_id: JobId) -> Result<()> {
    let text =
        "UPDATE job_holds SET state = 'lost', ended_ms = $2 WHERE job_id = $1 AND ended_ms IS NULL";
    execute(tx, sql(text).bind(job_id).bind(tx.now_ms())).await?;
    Ok(())
}

async fn job(tx: &mut Tx, id: JobId) -> Result<Job> {
    let found = jobs::get(&mut *tx, id).await?;
    found.ok_or_else(|| Error::not_found("there is no such job"))
}

/// The open hold as this transaction leaves it.
async fn told(tx: &mut Tx, job: &Job) -> Result<Hold> {
    jobs::notice(tx, job, crate::events::Kind::JobChanged);
    let hold = current(&mut *tx, job.id).await?;
    hold.ok_or_else(|| Error::fault("a hold vanished as it was written"))
}
