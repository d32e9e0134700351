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
use crate::{Control, Machine, Result};

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
    let machine = &*control.host_of_attempt(&attempt)?;
    let seen = Seen {
        control,
        machine,
        attempt: &attempt,
        nudge,
    };
    let status = match started(&seen, &job).await {
        Ok(Some(status)) => status,
        Ok(None) => return ending::give_up_stopped(control, machine, &attempt).await,
        Err(error) if error.retryable() => return Err(error),
        Err(error) => {
            tracing::warn!(job.id = %id, error = &error as &dyn std::error::Error, "a job could not be started");
            return ending::give_up(control, machine, &attempt, error.to_string()).await;
        }
    };
    let exit = follow(&seen, status).await?;
    // Read again: whether somebody asked to stop decides how it ends.
    let Some(job) = jobs::get(control.db(), id).await? else {
        return Ok(());
    };
    ending::finish(control, machine, (&job, &attempt), &exit).await
}

/// What one call drives, and with what.
#[derive(Clone, Copy)]
struct Seen<'a> {
    control: &'a Control,
    machine: &'a dyn Machine,
    attempt: &'a Attempt,
    nudge: &'a Notify,
}

/// The process, once it is there; nothing if somebody asked to stop before it was.
async fn started(seen: &Seen<'_>, job: &Job) -> Result<Option<Status>> {
    let Seen {
        control, machine, ..
    } = *seen;
    if let Some(status) = machine.status(&seen.attempt.run_id).await? {
        return Ok(Some(status));
    }
    let work = prepare::work(control, job, seen.attempt).await?;
    tokio::select! {
        ready = machine.prepare(&work) => ready?,
        asked = asked_to_stop(seen) => {
            asked?;
            return Ok(None);
        }
    }
    // Who asks to stop from here on finds a process, which is stopped and its outputs kept like any other's. A start that is dropped may
    // still bring the process up, with nobody to end it.
    let secrets = prepare::secrets(control, job).await?;
    machine.start(&work, &secrets).await.map(Some)
}

/// Follows the run to its exit: its log is read for metadata as it grows, and it is ended when somebody asks.
async fn follow(seen: &Seen<'_>, status: Status) -> Result<Exit> {
    let mut follower = Follower::new(seen.control, seen.machine, seen.attempt);
    tokio::select! {
        exit = to_exit(seen, status, &mut follower) => exit,
        stopped = stop_when_asked(seen) => match stopped {},
    }
}

async fn to_exit(seen: &Seen<'_>, mut status: Status, follower: &mut Follower<'_>) -> Result<Exit> {
    loop {
        follower.catch_up().await?;
        if let Some(exit) = status.exit {
            return Ok(exit);
        }
        status = seen.machine.changed(&seen.attempt.run_id, &status).await?;
        if status.exit.is_none() {
            time::sleep(PAUSE).await;
        }
    }
}

/// Ends the run once somebody asks; then leaves the rest to who waits for its exit.
async fn stop_when_asked(seen: &Seen<'_>) -> std::convert::Infallible {
    loop {
        let stopped = match asked_to_stop(seen).await {
            Ok(()) => seen.machine.stop(&seen.attempt.run_id, GRACE).await,
            Err(error) => Err(error),
        };
        match stopped {
            Ok(()) => return std::future::pending().await,
            Err(error) => {
                tracing::warn!(job.id = %seen.attempt.job_id, %error, "a job could not be stopped yet");
            }
        }
        time::sleep(PAUSE).await;
    }
}

async fn asked_to_stop(seen: &Seen<'_>) -> Result<()> {
    while !stop_asked(seen.control, seen.attempt.job_id).await? {
        seen.nudge.notified().await;
    }
    Ok(())
}
