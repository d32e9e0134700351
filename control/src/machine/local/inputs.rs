//! Inputs on this machine: a read-only folder for each manifest, which all runs share.

use std::path::PathBuf;

use storage::{
    Hash,
    materialise::{self, Link},
    mount::Mounts,
    workspaces::Input,
};

use crate::{Result, reference::Reference};

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
        let Reference::Outputs { path, .. } = input.reference.parse()?;
        let (target, source) = match path {
            None => (input.name.clone(), folder),
            Some(path) if folder.join(&path).is_dir() => (input.name.clone(), folder.join(path)),
            Some(path) => (
                format!("{}/{}", input.name, last_part(&path)),
                folder.join(&path),
            ),
        };
        mounts.push((target, source));
    }
    Ok(mounts)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
