//! Inputs on this machine: a read-only folder for each manifest, which all runs share.

use std::path::{Path, PathBuf};

use storage::{
    Hash,
    materialise::{self, Link},
    mount::Mounts,
    workspaces::Input,
};

use crate::{Error, Result, reference::Reference};

/// How manifests become folders for some work.
pub(super) struct Shown<'a> {
    pub(super) mounts: &'a Mounts,
    /// Whether the work is shown what this process mounts.
    pub(super) sees_mounts: bool,
    pub(super) link: Link,
}

impl Shown<'_> {
    async fn folder(&self, digest: Hash) -> Result<PathBuf> {
        Ok(if self.sees_mounts {
            self.mounts.folder(digest, self.link).await?
        } else {
            materialise::farm(self.mounts.store(), digest, self.link).await?
        })
    }
}

/// Makes the inputs' files available, and returns the path below `inputs` and the source of each.
pub(super) async fn mount(shown: &Shown<'_>, inputs: &[Input]) -> Result<Vec<(String, PathBuf)>> {
    let mut mounts = Vec::with_capacity(inputs.len());
    for input in inputs {
        let folder = shown.folder(input.manifest_digest.parse()?).await?;
        let reference: Reference = input.reference.parse()?;
        let (target, source) = match reference.path() {
            None => (input.name.clone(), folder),
            Some(path) => {
                let source = part(&folder, path)?;
                let target = if source.is_dir() {
                    input.name.clone()
                } else {
                    format!("{}/{}", input.name, last_part(path))
                };
                (target, source)
            }
        };
        mounts.push((target, source));
    }
    Ok(mounts)
}

/// Where a part of a manifest's folder lies. A link in it may lead anywhere on this machine, but none leads out of the folder to what is mounted.
fn part(folder: &Path, path: &str) -> Result<PathBuf> {
    let failed = |error| Error::internal(format!("there is no {path:?} in an input"), error);
    let folder = folder.canonicalize().map_err(failed)?;
    let source = folder.join(path).canonicalize().map_err(failed)?;
    if source.starts_with(&folder) {
        Ok(source)
    } else {
        Err(Error::invalid(format!(
            "the input {path:?} is a link that leads elsewhere"
        )))
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs};

    use storage::{
        Db, Store,
        clock::System,
        ids::ProjectId,
        mount::{Rung, probe},
        snapshot::{self, Options},
    };

    use super::*;

    async fn store(folder: &Path) -> (Store, Hash) {
        let url = Db::sqlite_url(&folder.join("cairn.db")).unwrap();
        let db = Db::open(&url, System::shared()).await.unwrap();
        let store = Store::open(&folder.join("store"), db).await.unwrap();
        let files = folder.join("files");
        fs::create_dir_all(files.join("deep/er")).unwrap();
        fs::write(files.join("deep/er/model.bin"), "weights").unwrap();
        fs::write(files.join("deep.txt"), "text").unwrap();
        std::os::unix::fs::symlink("/etc", files.join("deep/link")).unwrap();
        let options = Options::new(ProjectId::new(&System));
        let taken = snapshot::take(&store, &files, options).await.unwrap();
        let digest = taken.captured().summary.manifest_digest;
        (store, digest)
    }

    fn input(name: &str, reference: &str, digest: Hash) -> Input {
        Input {
            name: name.to_owned(),
            reference: reference.to_owned(),
            manifest_digest: digest.to_string(),
            files: 1,
            bytes: 1,
            version_id: None,
            source_job_id: None,
            left_out: None,
        }
    }

    /// What is there is the same on every rung, and on the last one for work that is shown no mounts of ours.
    #[tokio::test]
    async fn wholes_and_parts_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (store, digest) = store(folder.path()).await;
        let farm = Rung::Farm("a test".to_owned());
        for (rung, sees_mounts) in [
            (probe(folder.path()), true),
            (probe(folder.path()), false),
            (farm, true),
        ] {
            let is_mounted = sees_mounts && matches!(rung, Rung::Kernel(_));
            let mounts = Mounts::open(&store, rung).await.unwrap();
            let shown = Shown {
                mounts: &mounts,
                sees_mounts,
                link: Link::Hard,
            };
            let inputs = [
                input("all", "ada/vision#1", digest),
                input("folder", "ada/vision#1/deep", digest),
                input("file", "ada/vision#1/deep/er/model.bin", digest),
            ];
            let found = mount(&shown, &inputs).await.unwrap();
            let targets: Vec<_> = found.iter().map(|(target, _)| target.as_str()).collect();
            assert_eq!(targets, ["all", "folder", "file/model.bin"]);
            for (number, inside) in ["deep/er/model.bin", "er/model.bin", ""].iter().enumerate() {
                let source = &found[number].1;
                let file = if inside.is_empty() {
                    source.clone()
                } else {
                    source.join(inside)
                };
                assert_eq!(fs::read_to_string(file).unwrap(), "weights");
                assert_eq!(
                    source.starts_with(folder.path().join("store/mnt")),
                    is_mounted
                );
            }
            let out = [input("out", "ada/vision#1/deep/link", digest)];
            let refused = mount(&shown, &out).await.unwrap_err();
            assert!(refused.to_string().contains("leads elsewhere"), "{refused}");
            mounts.keep(HashSet::new()).await.unwrap();
        }
    }
}
