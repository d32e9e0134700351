//! Finds on the engine what belongs to no run that somebody looks after, and removes it.

use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use super::engine::{self, Engine};
use super::firewall;
use crate::run::Folder;
use crate::spec::check_id;
use crate::supervised::{Inner, Way, lost};
use crate::{Error, Result};

/// Between two sweeps.
const EVERY: Duration = Duration::from_mins(1);
/// How soon the end of the runtime is noticed.
const LOOK: Duration = Duration::from_secs(1);

/// Sweeps now and then, on a thread of its own, for as long as the runtime is open.
pub(super) fn begin(runtime: Weak<Inner>) {
    let work = move || {
        let mut complained = false;
        while let Some(inner) = runtime.upgrade() {
            match sweep(&inner) {
                Ok(()) => complained = false,
                Err(e) if !complained && is_used(&inner) => {
                    tracing::warn!(error = %e, "what crashes left on the container engine cannot be looked for");
                    complained = true;
                }
                Err(_) => {}
            }
            drop(inner);
            for _ in 0..EVERY.as_secs() / LOOK.as_secs() {
                std::thread::sleep(LOOK);
                if runtime.strong_count() == 0 {
                    return;
                }
            }
        }
    };
    let name = "docker-sweep".to_owned();
    if let Err(e) = std::thread::Builder::new().name(name).spawn(work) {
        tracing::warn!(error = %e, "what crashes leave on the container engine is not looked for");
    }
}

/// Looks once.
pub(super) fn sweep(inner: &Inner) -> Result<()> {
    let Way::Docker(config, _) = &inner.way else {
        return Ok(());
    };
    let installation = config.installation();
    let (network, changes) = (
        config.network.clone(),
        config.base.sockets.join(".firewall"),
    );
    let runs = inner.config.runs.clone();
    let (socket, patience) = (config.engine.clone(), config.patience);
    let swept = engine::blocking(async move {
        let engine = Engine::connect(&socket, patience).await?;
        let found = engine.belongings(&installation).await?;
        if !found.is_empty() {
            // Something may have flushed the rules meanwhile. A run that starts without them says so.
            drop(firewall::ensure(&network, &changes));
        }
        for (name, run) in found {
            let folder = Folder::new(runs.join(&run));
            // Held until it is gone: nobody can take the run up meanwhile.
            let _lock = match abandoned(&folder, &run, &runs) {
                Abandoned::No => continue,
                Abandoned::Locked(lock) => Some(lock),
                Abandoned::NoFolder => None,
            };
            tracing::info!(
                name,
                run.id = run,
                "removed from the container engine: nobody looks after it"
            );
            engine.remove(&name).await?;
        }
        Ok::<_, engine::Refusal>(())
    });
    let (_, message) = match swept {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(refusal)) => refusal,
        Err(e) => return Err(Error::unavailable("the engine cannot be asked", e)),
    };
    Err(Error::Unavailable {
        message,
        source: None,
    })
}

/// Whether any run was ever started; without one, a machine without an engine is as it should be.
fn is_used(inner: &Inner) -> bool {
    let runs = std::fs::read_dir(&inner.config.runs);
    runs.is_ok_and(|mut r| r.next().is_some())
}

enum Abandoned {
    /// Somebody looks after it.
    No,
    Locked(std::fs::File),
    NoFolder,
}

fn abandoned(folder: &Folder, run: &str, runs: &Path) -> Abandoned {
    // Without the folder of all runs nothing is known: better leave everything alone.
    if check_id(run).is_err() || !runs.is_dir() {
        return Abandoned::No;
    }
    match lost::try_lock(folder) {
        Ok(Some(lock)) => Abandoned::Locked(lock),
        Ok(None) if !folder.path().is_dir() => Abandoned::NoFolder,
        _ => Abandoned::No,
    }
}
