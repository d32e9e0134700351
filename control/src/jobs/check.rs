//! Refuses what can never run before it becomes a job, and says why.

use kernels::notebook::{Document, coerce};
use serde_json::{Map, Value};
use storage::{
    Hash,
    manifest::{self, FileKind},
    snapshots::Snapshot,
};

use super::NewJob;
use crate::{Control, Error, Result};

/// A notebook larger than this is not read.
const NOTEBOOK_BYTES: u64 = 256 << 20;
const PARAMETERS: usize = 1000;
const PARAMETER_BYTES: usize = 1 << 20;

/// What to call a job that nobody named.
pub(super) fn title(new: &NewJob) -> String {
    let title = new
        .notebook
        .clone()
        .or_else(|| new.command.as_ref().map(|words| words.join(" ")))
        .unwrap_or_default();
    let plain: String = title
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(80)
        .collect();
    plain.trim().to_owned()
}

/// A file that goes into the snapshot besides those of the folder.
pub(super) struct AddedFile {
    /// Its path there.
    pub(super) path: String,
    /// What is in it.
    pub(super) content: Vec<u8>,
}

/// Turns cells that are asked for into a notebook that is, and gives back the file that holds it.
pub(super) async fn cells(new: &mut NewJob) -> Result<Option<AddedFile>> {
    let Some(cells) = new.cells.take() else {
        return Ok(None);
    };
    if new.notebook.is_some() || new.command.is_some() {
        return Err(Error::invalid(
            "a job runs either a command, a notebook or cells: give exactly one of them",
        ));
    }
    if new.workspace_id.is_none() {
        return Err(Error::invalid(
            "cells run on the files of a workspace: give `workspace_id`",
        ));
    }
    let path = cells.place();
    let content = cells.assemble().await?.into_bytes();
    new.notebook = Some(path.clone());
    Ok(Some(AddedFile { path, content }))
}

/// Whether a snapshot has this file.
pub(super) async fn holds(
    control: &Control,
    snapshot: &Snapshot,
    file: &AddedFile,
) -> Result<bool> {
    let digest = snapshot.manifest_digest.parse()?;
    let found = manifest::file(control.store(), digest, &file.path).await?;
    Ok(found.is_some_and(|found| found.hash == Some(Hash::of(&file.content))))
}

/// Checks what the job runs and gives its parameters back as they will be passed on.
pub(super) async fn parameters(
    control: &Control,
    snapshot: &Snapshot,
    new: &NewJob,
) -> Result<Map<String, Value>> {
    check_parameters(&new.parameters)?;
    match (&new.notebook, &new.command) {
        (Some(path), None) => notebook(control, snapshot, path, &new.parameters).await,
        (None, Some(command)) => {
            if command.iter().any(|word| word.contains('\0')) {
                return Err(Error::invalid("the command holds a NUL character"));
            }
            Ok(new.parameters.clone())
        }
        _ => Err(Error::invalid(
            "a job runs either a command or a notebook: give exactly one of them",
        )),
    }
}

fn check_parameters(parameters: &Map<String, Value>) -> Result<()> {
    if parameters.len() > PARAMETERS {
        return Err(Error::invalid(format!(
            "a job takes at most {PARAMETERS} parameters"
        )));
    }
    for (name, value) in parameters {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if name.is_empty() || name.len() > 128 || !plain || name.starts_with(['-', '.']) {
            let shown: String = name.chars().take(80).collect();
            return Err(Error::invalid(format!(
                "`{}` cannot name a parameter: use letters, digits, `_`, `-` and `.`",
                shown.escape_debug()
            )));
        }
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if text.len() > PARAMETER_BYTES || text.contains('\0') {
            return Err(Error::invalid(format!(
                "the parameter `{name}` is longer than 1 MiB or holds a NUL character"
            )));
        }
    }
    Ok(())
}

async fn notebook(
    control: &Control,
    snapshot: &Snapshot,
    path: &str,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let document = read(control, snapshot, path).await?;
    coerce(&document.parameters(), given)
        .map_err(|error| Error::invalid(format!("the notebook `{path}`: {error}")))?;
    Ok(given.clone())
}

async fn read(control: &Control, snapshot: &Snapshot, path: &str) -> Result<Document> {
    let digest = snapshot.manifest_digest.parse()?;
    let shown: String = path.chars().take(200).collect();
    let file = manifest::file(control.store(), digest, path).await?;
    match file {
        Some(file) if file.kind == FileKind::File && file.bytes <= NOTEBOOK_BYTES => {}
        Some(file) if file.kind == FileKind::File => {
            return Err(Error::invalid(format!(
                "the notebook `{}` is larger than 256 MiB",
                shown.escape_debug()
            )));
        }
        _ => {
            let left_out = snapshot.skipped.iter().find(|skipped| skipped.path == path);
            let why = left_out
                .map(|skipped| format!(" (it was left out: {})", skipped.reason))
                .unwrap_or_default();
            return Err(Error::invalid(format!(
                "there is no notebook {} in the snapshot{why}",
                shown.escape_debug()
            )));
        }
    }
    let content = manifest::read(control.store(), digest, path, None)
        .await?
        .ok_or_else(|| Error::not_found("the notebook is not in the store"))?;
    let bytes = content.collect().await?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::invalid(format!(
            "the file `{}` is not a notebook: it is not UTF-8 text",
            shown.escape_debug()
        ))
    })?;
    Document::parse(&text).map_err(|error| {
        Error::invalid(format!("the notebook `{}`: {error}", shown.escape_debug()))
    })
}
