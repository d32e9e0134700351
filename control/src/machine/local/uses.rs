//! Which runs of this machine see which manifests: a file for each run, written before the run begins. So what is mounted can be taken away when
//! nothing uses it any more, also by a process that did not mount it.

use std::{collections::HashSet, fs, io, path::PathBuf};

use storage::{Hash, workspaces::Input};

use super::LocalMachine;
use crate::{Error, Layout, Machine as _, Result};

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

    /// The runs that see something, and what.
    pub(super) fn all(&self) -> Result<Vec<(String, HashSet<Hash>)>> {
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
            let text = fs::read_to_string(entry.path()).map_err(failed)?;
            let digests: Result<_, storage::Error> = text.lines().map(str::parse).collect();
            all.push((run_id, digests?));
        }
        Ok(all)
    }

    /// Forgets a run that has ended.
    pub(super) fn end(&self, run_id: &str) -> Result<()> {
        match fs::remove_file(self.folder.join(run_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

impl LocalMachine {
    /// Takes away what no run sees any more; another time if something is being started.
    async fn sweep(&self) -> Result<()> {
        let Ok(_alone) = self.2.try_write() else {
            return Ok(());
        };
        let (uses, mut kept) = (Uses::of(self.layout()), HashSet::new());
        for (run_id, digests) in uses.all()? {
            match self.status(&run_id).await? {
                Some(status) if status.exit.is_none() => kept.extend(digests),
                _ => uses.end(&run_id)?,
            }
        }
        Ok(self.0.mounts.keep(kept).await?)
    }

    /// The same after something has ended, which it has all the same.
    pub(super) async fn tidy(&self) {
        if let Err(error) = self.sweep().await {
            tracing::warn!(%error, "inputs that nothing uses stay mounted");
        }
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
        };
        uses.begin("run", &[input.clone(), input]).unwrap();
        uses.begin("other", &[]).unwrap();
        let expected = [("run".to_owned(), HashSet::from([digest]))];
        assert_eq!(uses.all().unwrap(), expected);
        uses.end("run").unwrap();
        uses.end("run").unwrap();
        assert_eq!(uses.all().unwrap(), []);
    }
}
