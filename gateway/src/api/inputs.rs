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
}

impl From<records::Input> for Input {
    fn from(input: records::Input) -> Self {
        Self {
            name: input.name,
            reference: input.reference,
            manifest_digest: input.manifest_digest,
            files: input.files,
            bytes: input.bytes,
        }
    }
}

/// An input to attach.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInput {
    /// The name of its folder; made from the reference where left out.
    name: Option<String>,
    /// What to attach: `[PROJECT]#NUMBER[/PATH]` or `[PROJECT/]NAME:VERSION[/PATH]`.
    #[serde(rename = "ref")]
    reference: String,
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

async fn readable_one(
    app: &App,
    principal: &Principal,
    home: &Project,
    input: NewInput,
) -> Result<control::NewInput, ApiError> {
    readable_reference(app, principal, &home.name, &input.reference).await?;
    let (name, reference) = (input.name, input.reference);
    Ok(control::NewInput { name, reference })
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
    let project = reference.project().unwrap_or(home);
    match &reference {
        Reference::Outputs { number, .. } => {
            let number = number.to_string();
            authz::job(app, principal, Action::ReadJob, (project, &number)).await?;
        }
        Reference::Version { dataset, .. } => {
            authz::dataset(app, principal, Action::ReadDataset, (project, dataset)).await?;
        }
    }
    Ok(reference)
}

/// Like [`readable`], for one input of a name that is known.
///
/// # Errors
/// Those of [`readable`].
pub(super) async fn readable_named(
    app: &App,
    principal: &Principal,
    home: &Project,
    (name, reference): (String, String),
) -> Result<control::NewInput, ApiError> {
    let name = Some(name);
    readable_one(app, principal, home, NewInput { name, reference }).await
}
