//! Which runs of this machine see which manifests: a file for each run, written before the run begins. So what is mounted can be taken away when
//! nothing uses it any more, also by a process that did not mount it.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::PathBuf,
    time::Duration,
};

use futures_util::future::join_all;
use storage::{Hash, workspaces::Input};

use super::LocalMachine;
use crate::{Error, Layout, Machine as _, Result};

/// How often a sweep that is to be alone looks for a moment in which nothing is being started, and how long it waits between.
const PATIENCE: u32 = 100;
const MOMENT: Duration = Duration::from_millis(100);

/// The records of one machine.
pub(super) struct Uses {
    folder: PathBuf,
}

impl Uses {
    pub(super) fn of(layout: &Layout) -> Self {
        Self {
            folder: layout.mounted(),
        }
    }

    /// Records what a run is going to see.
    pub(super) fn begin(&self, run_id: &str, inputs: &[Input]) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let digests = inputs.iter().map(|input| input.manifest_digest.as_str());
        let text = digests.collect::<Vec<_>>().join("\n");
        let fresh = self.folder.join(format!(".{run_id}"));
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, self.folder.join(run_id)))
            .map_err(failed)
    }

    /// The runs that see something, and what; nothing is known of what a run sees whose record cannot be read.
    pub(super) fn all(&self) -> Result<Vec<Use>> {
        let there = match fs::read_dir(&self.folder) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut all = Vec::new();
        for entry in there {
            let entry = entry.map_err(failed)?;
            let run_id = entry.file_name().to_string_lossy().into_owned();
            if run_id.starts_with('.') {
                continue;
            }
            let text = fs::read_to_string(entry.path()).ok();
            let digests =
                text.and_then(|text| text.lines().map(|line| line.parse().ok()).collect());
            all.push(Use { run_id, digests });
        }
        Ok(all)
    }

    /// What runs see, also such as have ended and are not forgotten; nothing where that cannot be known.
    pub(super) fn seen(&self) -> Result<Option<HashSet<Hash>>> {
        Ok(kept(&self.all()?, |_| false))
    }

    /// Forgets a run that has ended.
    pub(super) fn end(&self, run_id: &str) -> Result<()> {
        match fs::remove_file(self.folder.join(run_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// What a run sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    run_id: String,
    digests: Option<HashSet<Hash>>,
}

/// What stays mounted for these runs, of which `ended` say that they have ended; nothing may be unmounted where that cannot be known.
fn kept(uses: &[Use], ended: impl Fn(&str) -> bool) -> Option<HashSet<Hash>> {
    let live = uses.iter().filter(|one| !ended(&one.run_id));
    let mut kept = HashSet::new();
    for one in live {
        let Some(digests) = &one.digests else {
            tracing::warn!(run.id = %one.run_id, "what a live run sees is not on record: all inputs stay mounted");
            return None;
        };
        kept.extend(digests);
    }
    Some(kept)
}

impl LocalMachine {
    /// Takes away what no run sees any more; another time if something is being started.
    async fn sweep(&self) -> Result<()> {
        let uses = Uses::of(self.layout());
        // Asked all at once and before anything waits for us: a supervisor may take its time to answer, or never do.
        let asked = uses.all()?.into_iter().map(|one| async move {
            let status = self.status(&one.run_id).await;
            (
                one.run_id,
                status.map(|status| status.map(|status| status.exit.is_some())),
            )
        });
        let told: HashMap<String, Result<Option<bool>>> =
            join_all(asked).await.into_iter().collect();
        let Ok(_alone) = self.2.try_write() else {
            return Ok(());
        };
        let (now, mut ended) = (uses.all()?, HashSet::new());
        for one in &now {
            let has_ended = match told.get(&one.run_id) {
                Some(Ok(Some(exited))) => *exited,
                // It may have begun since.
                Some(Ok(None)) => self.status(&one.run_id).await?.is_none(),
                Some(Err(_)) | None => false,
            };
            if has_ended {
                ended.insert(one.run_id.clone());
                uses.end(&one.run_id)?;
            }
        }
        match kept(&now, |run_id| ended.contains(run_id)) {
            Some(kept) => Ok(self.0.mounts.keep(kept).await?),
            None => Ok(()),
        }
    }

    /// The same after something has ended, which it has all the same.
    pub(super) async fn sweep_after(&self) {
        if let Err(error) = self.sweep().await {
            tracing::warn!(%error, "inputs that nothing uses stay mounted");
        }
    }

    /// The same where nothing else is under way, or only for a moment.
    pub(super) async fn sweep_alone(&self) -> Result<()> {
        for _ in 0..PATIENCE {
            if self.2.try_write().is_ok() {
                break;
            }
            tokio::time::sleep(MOMENT).await;
        }
        self.sweep().await
    }
}

fn failed(error: io::Error) -> Error {
    Error::internal("what runs see of inputs cannot be recorded", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_told_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let uses = Uses::of(&Layout::new(folder.path()));
        assert_eq!(uses.all().unwrap(), []);
        let digest = Hash::of(b"manifest");
        let input = Input {
            name: "a".to_owned(),
            reference: "#1".to_owned(),
            manifest_digest: digest.to_string(),
            files: 1,
            bytes: 1,
            version_id: None,
            source_job_id: None,
            left_out: None,
        };
        uses.begin("run", &[input.clone(), input]).unwrap();
        uses.begin("other", &[]).unwrap();
        let expected = Use {
            run_id: "run".to_owned(),
            digests: Some(HashSet::from([digest])),
        };
        assert_eq!(uses.all().unwrap(), [expected]);
        fs::write(folder.path().join("mounted/run"), "\0\0\0").unwrap();
        assert_eq!(
            uses.all().unwrap()[0].digests,
            None,
            "cut by a power failure"
        );
        uses.end("run").unwrap();
        uses.end("run").unwrap();
        assert_eq!(uses.all().unwrap(), []);
    }

    #[test]
    fn what_a_live_run_sees_is_kept_and_a_bad_record_of_one_that_ended_stops_nothing() {
        let (one, two) = (Hash::of(b"1"), Hash::of(b"2"));
        let sees = |run_id: &str, digests: Option<&[Hash]>| Use {
            run_id: run_id.to_owned(),
            digests: digests.map(|digests| digests.iter().copied().collect()),
        };
        let uses = [
            sees("live", Some(&[one])),
            sees("done", Some(&[one, two])),
            sees("lost", None),
        ];
        let ended = |names: &'static [&str]| move |run_id: &str| names.contains(&run_id);
        assert_eq!(
            kept(&uses, ended(&["done", "lost"])),
            Some(HashSet::from([one]))
        );
        assert_eq!(
            kept(&uses, ended(&["live", "done", "lost"])),
            Some(HashSet::new())
        );
        assert_eq!(kept(&uses, ended(&["done"])), None);
    }
}
