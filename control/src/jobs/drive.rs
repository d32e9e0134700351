//! Carries one attempt from the queue to its end. One call at a time for each job.

use std::time::Duration;

use spawner::{Exit, Status};
use storage::{
    attempts::{self, Attempt},
    ids::JobId,
    jobs::{self, Job},
};
use tokio::{sync::Notify, time};

use super::{
    ending,
    follow::{Follower, PAUSE, stop_asked},
    prepare, runs,
};
use crate::{Control, Result};

/// Time for a job to end by itself when it is stopped.
const GRACE: Duration = Duration::from_secs(10);

/// Drives the job's live attempt until the job has ended. `nudge` says that the job's record changed.
///
/// Dropping the future loses nothing: the next call goes on from what the records and the spawner say.
pub(crate) async fn drive(control: &Control, id: JobId, nudge: &Notify) -> Result<()> {
    let Some(job) = jobs::get(control.db(), id).await?.filter(runs) else {
        return Ok(());
    };
    let live = attempts::latest(control.db(), id)
        .await?
        .filter(|attempt| attempt.state == attempts::State::Live);
    let Some(attempt) = live else { return Ok(()) };
    let status = match started(control, &job, &attempt, nudge).await {
        Ok(Some(status)) => status,
        Ok(None) => return ending::give_up_stopped(control, &attempt).await,
        Err(error) if error.retryable() => return Err(error),
        Err(error) => {
            tracing::warn!(job.id = %id, error = &error as &dyn std::error::Error, "a job could not be started");
            return ending::give_up(control, &attempt, error.to_string()).await;
        }
    };
    let exit = follow(control, &attempt, status, nudge).await?;
    // Read again: whether somebody asked to stop decides how it ends.
    let Some(job) = jobs::get(control.db(), id).await? else {
        return Ok(());
    };
    ending::finish(control, &job, &attempt, &exit).await
}

/// The process, once it is there; nothing if somebody asked to stop before it was.
async fn started(
    control: &Control,
    job: &Job,
    attempt: &Attempt,
    nudge: &Notify,
) -> Result<Option<Status>> {
    let handle = control.handle(attempt.run_id.as_str());
    if let Some(status) = control.runtime().status(&handle).await? {
        return Ok(Some(status));
    }
    let spec = tokio::select! {
        spec = prepare::ready(control, job, attempt) => spec?,
        asked = asked_to_stop(control, job.id, nudge) => {
            asked?;
            return Ok(None);
        }
    };
    // Who asks to stop from here on finds a process, which is stopped and its outputs kept like any other's.
    prepare::start(control, spec).await.map(Some)
}

/// Follows the run to its exit: its log is read for metadata as it grows, and it is ended when somebody asks.
async fn follow(
    control: &Control,
    attempt: &Attempt,
    status: Status,
    nudge: &Notify,
) -> Result<Exit> {
    let mut follower = Follower::new(control, attempt);
    tokio::select! {
        exit = to_exit(control, attempt, status, &mut follower) => exit,
        stopped = stop_when_asked(control, attempt, nudge) => match stopped {},
    }
}

async fn to_exit(
    control: &Control,
    attempt: &Attempt,
    mut status: Status,
    follower: &mut Follower<'_>,
) -> Result<Exit> {
    let handle = control.handle(attempt.run_id.as_str());
    loop {
        follower.catch_up().await?;
        if let Some(exit) = status.exit {
            return Ok(exit);
        }
        status = control.runtime().changed(&handle, &status).await?;
        if status.exit.is_none() {
            time::sleep(PAUSE).await;
        }
    }
}

/// Ends the run once somebody asks; then leaves the rest to who waits for its exit.
async fn stop_when_asked(
    control: &Control,
    attempt: &Attempt,
    nudge: &Notify,
) -> std::convert::Infallible {
    let handle = control.handle(attempt.run_id.as_str());
    loop {
        let stopped = match asked_to_stop(control, attempt.job_id, nudge).await {
            Ok(()) => control
                .runtime()
                .stop(&handle, GRACE)
                .await
                .map_err(Into::into),
            Err(error) => Err(error),
        };
        match stopped {
            Ok(()) => return std::future::pending().await,
            Err(error) => {
                tracing::warn!(job.id = %attempt.job_id, %error, "a job could not be stopped yet");
            }
        }
        time::sleep(PAUSE).await;
    }
}

async fn asked_to_stop(control: &Control, id: JobId, nudge: &Notify) -> Result<()> {
    while !stop_asked(control, id).await? {
        nudge.notified().await;
    }
    Ok(())
}
