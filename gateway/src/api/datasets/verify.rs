//! Checks of versions.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::{Hash, datasets as records, fsck, members::Role};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path},
};

/// What a check of a version's files found.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Integrity {
    /// All of them, or there was no check since they came in.
    Ok,
    /// Some are missing or damaged.
    Partial,
    /// The list of them is.
    Broken,
}

impl From<fsck::Integrity> for Integrity {
    fn from(integrity: fsck::Integrity) -> Self {
        match integrity {
            fsck::Integrity::Ok => Self::Ok,
            fsck::Integrity::Partial => Self::Partial,
            fsck::Integrity::Broken => Self::Broken,
        }
    }
}

/// How to check.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyRequest {
    /// Reads and hashes every file; else only that each is there with its size.
    #[serde(default)]
    full: bool,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FaultKind {
    /// It is not in the store.
    Missing,
    /// It is there with other content.
    Damaged,
    /// It was adopted from a bucket, where something else is now.
    Changed,
}

impl From<fsck::Fault> for FaultKind {
    fn from(fault: fsck::Fault) -> Self {
        match fault {
            fsck::Fault::Missing => Self::Missing,
            fsck::Fault::Damaged => Self::Damaged,
            fsck::Fault::Changed => Self::Changed,
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DamagedFile {
    /// The file; null where the list of files itself is at fault.
    path: Option<String>,
    /// The BLAKE3 of the content that should be there.
    hash: String,
    /// What is wrong.
    fault: FaultKind,
    /// Where it was adopted from, as `s3://BUCKET/KEY`, when it is not there any more as it was.
    place: Option<String>,
    /// Whether there is a good copy all the same, which is kept: the version is none the worse.
    is_kept: bool,
}

/// How something has to do with what is wrong.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ConcernKind {
    /// A version of a dataset holds it.
    Version,
    /// A job left it.
    Left,
    /// A job read it.
    Read,
    /// A workspace shows it.
    Workspace,
    /// A job ran it.
    Code,
    /// It is a job's log.
    Log,
    /// A workspace's home was saved as it.
    Home,
}

impl From<records::User> for ConcernKind {
    fn from(user: records::User) -> Self {
        match user {
            records::User::Version => Self::Version,
            records::User::Left => Self::Left,
            records::User::Read => Self::Read,
            records::User::Workspace => Self::Workspace,
            records::User::Code => Self::Code,
            records::User::Log => Self::Log,
            records::User::Home => Self::Home,
        }
    }
}

/// Something in this project that has to do with what is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Concern {
    /// How.
    kind: ConcernKind,
    /// What: `digits:3`, `#12`, or the name of a workspace.
    name: String,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verification {
    /// What follows for the version: no new work can use it until it is `ok` again.
    integrity: Integrity,
    /// How many files were looked at.
    files: u64,
    /// How many bytes were read and hashed.
    bytes: u64,
    /// What is wrong, at most 1000.
    faults: Vec<DamagedFile>,
    /// How much more is.
    more: u64,
    /// Who has to do with it in this project.
    concerns: Vec<Concern>,
    /// How many more have, out of the caller's sight.
    elsewhere: usize,
}

/// Checks that a version's files are all there, and with `full` that they are what they were.
#[utoipa::path(post, path = "/projects/{project}/datasets/{dataset}/versions/{version}/verify", operation_id = "verify_dataset_version",
    tag = "datasets", request_body = VerifyRequest,
    params(("project" = String, Path, description = "Id or name"), ("dataset" = String, Path, description = "Name"),
        ("version" = String, Path, description = "Number or alias")),
    responses((status = 200, body = Verification), (status = "4XX", body = Envelope)))]
pub(crate) async fn verify_dataset_version(
    State(app): State<App>,
    principal: Principal,
    Path((project, dataset, which)): Path<(String, String, String)>,
    Json(request): Json<VerifyRequest>,
) -> Result<Json<Verification>, ApiError> {
    let names = (&*project, &*dataset);
    let role = authz::project(&app, &principal, Action::ReadProject, &project)
        .await?
        .1;
    let dataset = authz::dataset(&app, &principal, Action::ChangeDatasets, names).await?;
    let version = records::find(app.db(), dataset.id, &which).await?;
    let version = version.ok_or_else(|| ApiError::not_found("version"))?;
    let found = app.control().verify(&version, request.full).await?;
    // Workspaces are for their people and for owners to know of, as everywhere.
    let here = |one: &&records::Use| {
        let is_known = |(_, user)| user == principal.user.id || role == Role::Owner;
        one.project_id == dataset.project_id && one.workspace.is_none_or(is_known)
    };
    let gone = &found.gone;
    let fault = |finding| fault(finding, gone);
    let concerns: Vec<Concern> = found.uses.iter().filter(here).map(concern).collect();
    Ok(Json(Verification {
        integrity: found.integrity.into(),
        files: found.report.entries,
        bytes: found.report.bytes,
        more: found.report.more,
        elsewhere: found.uses.len() - concerns.len(),
        faults: found.report.findings.into_iter().map(fault).collect(),
        concerns,
    }))
}

fn fault(finding: fsck::Finding, gone: &BTreeSet<Hash>) -> DamagedFile {
    let is_list = finding.path.is_none() && finding.manifest_digest.is_some();
    DamagedFile {
        is_kept: !is_list && !gone.contains(&finding.hash),
        place: finding.place,
        path: finding.path,
        hash: finding.hash.to_string(),
        fault: finding.fault.into(),
    }
}

fn concern(one: &records::Use) -> Concern {
    Concern {
        kind: one.user.into(),
        name: one.name.clone(),
    }
}
