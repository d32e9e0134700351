//! Inputs of workspaces and jobs, and the right to read what they refer to.

use control::reference::Reference;
use serde::{Deserialize, Serialize};
use storage::{projects::Project, workspaces as records};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::ApiError,
};

/// What is mounted, read-only, as the folder `inputs/NAME`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Input {
    /// The name of its folder.
    name: String,
    /// The reference as it was written.
    #[serde(rename = "ref")]
    reference: String,
    /// The manifest that the reference meant when it was attached.
    manifest_digest: String,
    /// How many files.
    files: i64,
    /// How many bytes.
    bytes: i64,
    /// What is not in it because it was missing or damaged, where that was allowed; null where it was whole for all that was known.
    left_out: Option<LeftOut>,
}

/// The files that an input lacks because they were missing or damaged.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOut {
    /// How many; 0 where all were there again and no check had said yet that they are whole.
    files: i64,
    /// Their bytes.
    bytes: i64,
    /// Their paths, at most 100.
    paths: Vec<String>,
}

impl From<records::LeftOut> for LeftOut {
    fn from(left_out: records::LeftOut) -> Self {
        Self {
            files: left_out.files,
            bytes: left_out.bytes,
            paths: left_out.paths,
        }
    }
}

impl From<records::Input> for Input {
    fn from(input: records::Input) -> Self {
        Self {
            name: input.name,
            reference: input.reference,
            manifest_digest: input.manifest_digest,
            files: input.files,
            bytes: input.bytes,
            left_out: input.left_out.map(LeftOut::from),
        }
    }
}

/// An input to attach.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInput {
    /// The name of its folder; made from the reference where left out.
    pub(super) name: Option<String>,
    /// What to attach: `[PROJECT]#NUMBER[/PATH]` or `[PROJECT/]NAME:VERSION[/PATH]`.
    #[serde(rename = "ref")]
    pub(super) reference: String,
    /// Takes it also where files of it are missing or damaged, without these; the record says so.
    #[serde(default)]
    pub(super) allow_damaged: bool,
}

/// Reads the references and sees that the caller may read what each refers to.
///
/// # Errors
/// 400 where one does not parse; 404 where it refers to something that the caller may not see.
pub(super) async fn readable(
    app: &App,
    principal: &Principal,
    home: &Project,
    inputs: Vec<NewInput>,
) -> Result<Vec<control::NewInput>, ApiError> {
    if inputs.len() > 100 {
        return Err(ApiError::invalid("There are at most 100 inputs."));
    }
    let mut found = Vec::with_capacity(inputs.len());
    for input in inputs {
        found.push(readable_one(app, principal, home, input).await?);
    }
    Ok(found)
}

/// Reads a reference of the project called `home`, and sees that the caller may read what it refers to.
///
/// # Errors
/// Those of [`readable`].
pub(super) async fn readable_reference(
    app: &App,
    principal: &Principal,
    home: &str,
    text: &str,
) -> Result<Reference, ApiError> {
    let reference: Reference = text.parse()?;
    may_read(app, principal, home, &reference).await?;
    Ok(reference)
}

/// The same for one that was read.
///
/// # Errors
/// Those of [`readable`].
pub(super) async fn may_read(
    app: &App,
    principal: &Principal,
    home: &str,
    reference: &Reference,
) -> Result<(), ApiError> {
    let project = reference.project().unwrap_or(home);
    match reference {
        Reference::Outputs { number, .. } => {
            let number = number.to_string();
            authz::job(app, principal, Action::ReadJob, (project, &number)).await?;
        }
        Reference::Version { dataset, .. } => {
            authz::dataset(app, principal, Action::ReadDataset, (project, dataset)).await?;
        }
    }
    Ok(())
}

/// Like [`readable`], for one input.
///
/// # Errors
/// Those of [`readable`].
pub(super) async fn readable_one(
    app: &App,
    principal: &Principal,
    home: &Project,
    input: NewInput,
) -> Result<control::NewInput, ApiError> {
    readable_reference(app, principal, &home.name, &input.reference).await?;
    Ok(control::NewInput {
        name: input.name,
        reference: input.reference,
        allow_damaged: input.allow_damaged,
    })
}
