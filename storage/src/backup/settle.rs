//! Says of everything that ran when a backup was made that it does not run any more, and of homes which are not as the backup has them.

use serde::Serialize;

use super::Header;
use crate::attempts;
use crate::db::{Db, Tx};
use crate::homes::{self, AbsentHome};
use crate::jobs::{self, Ending, Job};
use crate::workspaces::{self, Desired, Note, State};
use crate::{Error, Result};

const RAN: &str = "It ran when the backup was made from which this server was restored.";

/// What could not be as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Jobs whose attempt was lost: they ended, or wait for another one if they may have it.
    pub jobs: u64,
    /// Workspaces that are stopped now.
    pub workspaces: u64,
    /// Lists of files that the backup did not have all of.
    pub damaged: u64,
    /// Homes whose newest files did not come with the backup.
    pub homes: Vec<AbsentHome>,
}

/// Brings the records to what is true after a restore of this backup. Safe to repeat.
pub(super) async fn settle(db: &Db, header: &Header) -> Result<Settled> {
    let (here, created_ms) = (header.machine_id, header.created_ms);
    db.write(move |mut tx| async move { homes::restored(&mut tx, here, created_ms).await })
        .await?;
    let mut settled = Settled {
        homes: homes::absent(db, here).await?,
        ..Settled::default()
    };
    for attempt in attempts::live(db).await? {
        let Some(job) = jobs::get(db, attempt.job_id).await? else {
            continue;
        };
        let (ending, id) = (&ending(&job), attempt.id);
        let lose = |mut tx: Tx| async move {
            if ending.state == jobs::State::Error && jobs::retry(&mut tx, id, ending).await? {
                return Ok(());
            }
            jobs::finish(&mut tx, id, ending).await.map(|_| ())
        };
        db.write(lose).await?;
        settled.jobs += 1;
    }
    for workspace in workspaces::active(db).await? {
        if matches!(workspace.state, State::Stopped | State::Error) {
            continue;
        }
        let workspace = &workspace;
        let stop = |mut tx: Tx| async move {
            match workspaces::desire(&mut tx, workspace.id, Desired::Stopped).await {
                // It is to be deleted, and will be.
                Err(Error::Conflict(_)) | Ok(_) => {}
                Err(error) => return Err(error),
            }
            let note = Note {
                message: Some(RAN.to_owned()),
                phase: None,
            };
            let step = (workspace.state, State::Stopped);
            workspaces::transition(&mut tx, workspace.id, workspace.fence, step, &note).await
        };
        db.write(stop).await?;
        settled.workspaces += 1;
    }
    Ok(settled)
}

fn ending(job: &Job) -> Ending {
    let state = if job.stop_requested_ms.is_some() {
        jobs::State::Stopped
    } else {
        jobs::State::Error
    };
    Ending {
        state,
        message: Some(format!("{RAN} What it had not finished is lost.")),
        exit_code: None,
        signal: None,
        outputs: None,
        log_hash: None,
        log_bytes: 0,
    }
}
