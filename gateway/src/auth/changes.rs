//! Says when somebody's rights, or where a workspace's server is, may have changed: the signal that empties every cache of decisions.

use std::time::Duration;

use storage::{
    Db,
    events::{self, Kind},
};
use tokio::sync::watch;

/// How often events of other processes are looked for where no signal came.
const AGAIN: Duration = Duration::from_secs(1);

/// Events read in one go.
const BATCH: u32 = 1000;

/// A number that moves at once when an event of this process may have changed a decision, and within about a second for other processes.
///
/// Must be called within a tokio runtime. The task behind it ends when the last receiver is gone.
pub(crate) fn follow(db: &Db) -> watch::Receiver<u64> {
    let (changed, receiver) = watch::channel(0);
    tokio::spawn(tell(db.clone(), changed));
    receiver
}

async fn tell(db: Db, changed: watch::Sender<u64>) {
    let mut news = db.changed();
    let mut seen = *news.borrow_and_update();
    while !changed.is_closed() {
        let newer = events::after(&db, seen, BATCH).await;
        let matters = match &newer {
            Ok(newer) => newer.iter().any(|event| concerns_rights(event.kind)),
            // What cannot be read may be a revocation.
            Err(_) => true,
        };
        if matters {
            changed.send_modify(|number| *number += 1);
        }
        if let Some(newest) = newer
            .ok()
            .and_then(|newer| newer.last().map(|event| event.number))
        {
            seen = newest;
            continue;
        }
        let waited = tokio::time::timeout(AGAIN, news.changed()).await;
        if waited.is_ok_and(|waited| waited.is_err()) {
            return;
        }
    }
}

/// Whether what happened can change who may do what, or where a workspace's server is.
fn concerns_rights(kind: Kind) -> bool {
    match kind {
        Kind::WorkspaceChanged
        | Kind::ProjectChanged
        | Kind::MemberChanged
        | Kind::UserChanged
        | Kind::SessionRevoked
        | Kind::TokenRevoked => true,
        Kind::JobChanged | Kind::JobMetadata | Kind::DatasetChanged | Kind::MachineChanged => false,
    }
}
