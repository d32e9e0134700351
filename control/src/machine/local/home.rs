//! A workspace's home on this machine: made at the first start, removed with the workspace.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use storage::{
    Hash,
    homes::{self, Restore},
    ids::WorkspaceId,
    materialise::{self, Owner},
    objects::Store,
};

use tokio::sync::OwnedMutexGuard;

use crate::{Error, Layout, Result, machine::HomeSource};

/// Makes the home where there is none yet; its project folder then holds the files of `template`.
///
/// Whole or not at all: a crash half-way leaves nothing that a later call would take for a home.
pub(super) async fn make(
    store: &Store,
    layout: &Layout,
    workspace: WorkspaceId,
    template: Option<Hash>,
) -> Result<()> {
    let work = layout.work(&workspace);
    if tokio::fs::try_exists(&work).await.unwrap_or(false) {
        return Ok(());
    }
    let home = layout.home(&workspace);
    make_folder(&home).map_err(|error| Error::internal("a home cannot be made", error))?;
    match template {
        Some(manifest) => materialise::copy_to(store, manifest, &work, None)
            .await
            .map(|_| ())?,
        None => make_folder(&work)
            .map_err(|error| Error::internal("a project folder cannot be made", error))?,
    }
    Ok(())
}

/// The name of a home's stat index; another than that of the project folder in it.
pub(crate) fn index(workspace: WorkspaceId) -> String {
    format!("home-{workspace}")
}

/// Makes the home as a snapshot has it, in place of an older copy.
pub(super) async fn restore(
    store: &Store,
    layout: &Layout,
    (workspace, held): (WorkspaceId, OwnedMutexGuard<()>),
    (source, owner): (&HomeSource, Option<(u32, u32)>),
) -> Result<()> {
    let home = layout.home(&workspace);
    let homes = home.parent().unwrap_or(layout.root());
    make_folder(homes).map_err(|error| Error::internal("a home cannot be made", error))?;
    let how = Restore {
        project: source.project_id,
        index: index(workspace),
        manifest_digest: source.manifest_digest,
        attributes_hash: source.attributes_hash,
        owner: owner.map(|(uid, gid)| Owner { uid, gid }),
        keep_aside: source.keep_aside.clone(),
    };
    Ok(homes::restore_holding(store, &home, how, held).await?)
}

/// Makes a folder and those above it that only their owner can enter. Fine where it exists.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Removes a tree, also where work has left folders in it that their owner may not write.
pub(crate) async fn remove_tree(path: PathBuf) -> Result<()> {
    let work = move || match fs::remove_dir_all(&path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(&path)?;
            fs::remove_dir_all(&path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("removing a folder was interrupted", error))?
        .map_err(|error| Error::internal("a folder cannot be removed", error))
}

/// Links are left alone: only real folders are opened.
fn open_folders(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}
