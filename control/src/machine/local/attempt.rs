//! An attempt's folders on this machine: laid out before the run, captured after it.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use serde_json::{Map, Value};
use storage::{
    ids::{AttemptId, ProjectId},
    materialise,
    objects::Store,
    outputs,
};

use super::{super::AttemptWork, Left, home::make_folder};
use crate::{Error, Layout, Result, jobs::report};

/// Makes `repository` (a copy of the snapshot), `outputs` (empty) and `config` (the parameters).
pub(super) async fn lay_out(store: &Store, attempt: &AttemptWork, folder: &Path) -> Result<()> {
    let repository = folder.join("repository");
    make_folder(folder).map_err(failed)?;
    if !tokio::fs::try_exists(&repository).await.unwrap_or(false) {
        materialise::copy_to(store, attempt.repository, &repository, None).await?;
    }
    make_folder(&folder.join("outputs")).map_err(failed)?;
    make_folder(&folder.join("report")).map_err(failed)?;
    write_config(&folder.join("config"), &attempt.parameters).map_err(failed)
}

/// Readable by whatever uid the work gets; it holds nothing secret.
fn write_config(folder: &Path, parameters: &Map<String, Value>) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let file = folder.join("parameters.json");
    if file.exists() {
        return Ok(());
    }
    make_folder(folder)?;
    let fresh = file.with_extension("new");
    fs::write(&fresh, serde_json::to_vec_pretty(parameters)?)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o444))?;
    fs::rename(&fresh, &file)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Takes what the attempt left into the store.
pub(super) async fn capture(
    store: &Store,
    project: ProjectId,
    folder: &Path,
    log: Option<PathBuf>,
) -> Result<Left> {
    let outputs = outputs::capture(store, project, &folder.join("outputs")).await?;
    let log = match log {
        Some(path) if tokio::fs::try_exists(&path).await.unwrap_or(false) => {
            Some(store.put_file(&path).await?)
        }
        _ => None,
    };
    let report = report::read(folder).await;
    Ok(Left {
        outputs,
        log,
        report,
    })
}

/// The names of attempts that have folders.
pub(super) fn left_behind(layout: &Layout) -> Vec<String> {
    let entries = fs::read_dir(layout.attempts())
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| AttemptId::from_str(name).is_ok())
        .collect()
}

fn failed(error: std::io::Error) -> Error {
    Error::internal("an attempt's folders cannot be made", error)
}
