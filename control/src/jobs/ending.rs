//! The end of an attempt: what it left is captured, then one transaction ends the attempt and the job.

use spawner::{Exit, Reason};
use storage::{
    attempts::Attempt,
    jobs::{self, Ending, Job, Outputs, State},
    outputs, snapshots,
};

use super::signed;
use crate::{
    Control, Result,
    datasets::noted,
    machine::{Left, Machine},
};

/// Captures outputs and log of an attempt that has ended, ends the job, and removes what the attempt held of this machine.
///
/// Safe to repeat: the transaction ends a job once, and what was captured twice is stored once.
pub(super) async fn finish(
    control: &Control,
    machine: &dyn Machine,
    (job, attempt): (&Job, &Attempt),
    exit: &Exit,
) -> Result<()> {
    let Left {
        outputs: pending,
        log,
        report,
    } = machine.capture(attempt.id, job.project_id).await?;
    let captured = pending.captured();
    let summary = &captured.summary;
    let noted = noted(control, job, &pending).await?;
    let plain = plain(job, exit, report);
    let ending = Ending {
        message: said(plain.message.as_deref(), noted.remark()),
        outputs: Some(Outputs {
            manifest_digest: summary.manifest_digest.to_string(),
            content_digest: summary.content_digest.to_string(),
            files: signed(summary.files),
            bytes: signed(summary.bytes),
            skipped: captured.skipped.iter().map(skipped).collect(),
        }),
        log_hash: log.as_ref().map(|log| log.hash.to_string()),
        log_bytes: log.as_ref().map_or(0, |log| signed(log.size)),
        ..plain
    };
    let (pending_ref, noted_ref, ending, id) = (&pending, &noted, &ending, attempt.id);
    let ended = control.db().write(move |mut tx| async move {
        if ending.state == State::Error && jobs::retry(&mut tx, id, ending).await? {
            return Ok(false);
        }
        pending_ref.record(&mut tx).await?;
        noted_ref.record(&mut tx, job).await?;
        jobs::finish(&mut tx, id, ending).await?;
        Ok(true)
    });
    let ended = ended.await?;
    drop(log);
    // Of an attempt that is followed by another nothing was recorded but its log.
    if ended {
        pending.recorded();
        noted.recorded();
    }
    machine.remove(&attempt.run_id).await
}

/// What is said of an end: how it came, then what could not be done with what was left.
fn said(plain: Option<&str>, remark: Option<String>) -> Option<String> {
    match (plain, remark) {
        (Some(plain), Some(remark)) => Some(format!("{plain} {remark}")),
        (plain, remark) => plain.map(str::to_owned).or(remark),
    }
}

/// Ends a job whose attempt could not be started.
pub(super) async fn give_up(
    control: &Control,
    machine: &dyn Machine,
    attempt: &Attempt,
    message: String,
) -> Result<()> {
    end_without_run(control, attempt, State::Error, message).await?;
    machine.remove(&attempt.run_id).await
}

/// Ends a job that somebody stopped while its attempt was being prepared.
pub(super) async fn give_up_stopped(
    control: &Control,
    machine: &dyn Machine,
    attempt: &Attempt,
) -> Result<()> {
    let message = "Stopped on request before it ran.".to_owned();
    end_without_run(control, attempt, State::Stopped, message).await?;
    machine.remove(&attempt.run_id).await
}

async fn end_without_run(
    control: &Control,
    attempt: &Attempt,
    state: State,
    message: String,
) -> Result<()> {
    let ending = Ending {
        state,
        message: Some(message),
        exit_code: None,
        signal: None,
        outputs: None,
        log_hash: None,
        log_bytes: 0,
    };
    let (ending, id) = (&ending, attempt.id);
    control
        .db()
        .write(move |mut tx| async move { jobs::finish(&mut tx, id, ending).await })
        .await?;
    Ok(())
}

/// How the job ends, its outputs and log aside.
fn plain(job: &Job, exit: &Exit, report: Option<String>) -> Ending {
    let state = match exit.reason {
        Reason::Exited if exit.success() => State::Complete,
        _ if job.stop_requested_ms.is_some() => State::Stopped,
        Reason::Stopped => State::Stopped,
        _ => State::Error,
    };
    Ending {
        state,
        message: message(state, exit, report),
        exit_code: exit.code.map(i64::from),
        signal: exit.signal.map(i64::from),
        outputs: None,
        log_hash: None,
        log_bytes: 0,
    }
}

/// What happened, in words for the person whose job it is; nothing where all went well.
fn message(state: State, exit: &Exit, report: Option<String>) -> Option<String> {
    let what = match (state, exit.reason) {
        (State::Complete, _) => return None,
        (State::Stopped, _) => "Stopped on request.".to_owned(),
        (_, Reason::Exited) if report.is_some() => return report,
        (_, Reason::Exited) => match (exit.code, exit.signal) {
            (Some(code), _) => format!("The command ended with status {code}."),
            (None, Some(signal)) => format!("The command was ended by signal {signal}."),
            (None, None) => "The command ended.".to_owned(),
        },
        (_, Reason::Oom) => "The job used more memory than its machine type has.".to_owned(),
        (_, Reason::TimeLimit) => "The job reached its time limit.".to_owned(),
        (_, Reason::Lost) => {
            "The machine was restarted, or the job's supervisor was killed.".to_owned()
        }
        (_, Reason::StartFailed) => "The job could not be started.".to_owned(),
        _ => "The job ended in a way that this version does not know.".to_owned(),
    };
    Some(
        if exit.message.is_empty() || what.starts_with(&exit.message) {
            what
        } else {
            format!("{what} {}", exit.message)
        },
    )
}

/// The record of a path that was left out.
pub(super) fn skipped(skipped: &outputs::Skipped) -> snapshots::Skipped {
    snapshots::Skipped {
        path: skipped.path.clone(),
        reason: skipped.reason.to_string(),
    }
}
