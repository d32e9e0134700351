//! Inputs on this machine: a read-only folder for each manifest.

use std::path::PathBuf;

use storage::{
    materialise::{self, Link},
    objects::Store,
    workspaces::Input,
};

use crate::{Result, reference::Reference};

/// Makes the inputs' files available, and returns the path below `inputs` and the source of each.
pub(super) async fn mount(
    store: &Store,
    inputs: &[Input],
    link: Link,
) -> Result<Vec<(String, PathBuf)>> {
    let mut mounts = Vec::with_capacity(inputs.len());
    for input in inputs {
        let folder = materialise::farm(store, input.manifest_digest.parse()?, link).await?;
        let reference: Reference = input.reference.parse()?;
        let (target, source) = match reference.path() {
            None => (input.name.clone(), folder),
            Some(path) if folder.join(path).is_dir() => (input.name.clone(), folder.join(path)),
            Some(path) => (
                format!("{}/{}", input.name, last_part(path)),
                folder.join(path),
            ),
        };
        mounts.push((target, source));
    }
    Ok(mounts)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
