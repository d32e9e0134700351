//! Lays out an attempt's folders and starts its process. Safe to repeat after a crash at any point.

use std::{fs, path::Path};

use spawner::{Spec, Status};
use storage::{
    attempts::Attempt,
    jobs::Job,
    materialise, snapshots,
    tokens::{self, NewToken},
};

use super::process;
use crate::{Control, Error, Result, workspaces::make_folder};

/// Makes everything that the attempt's process needs. Dropping the future leaves nothing that runs.
pub(super) async fn ready(control: &Control, job: &Job, attempt: &Attempt) -> Result<Spec> {
    let (_, spec) = control.settings().environment(Some(&job.environment))?;
    let environment = control.builder().ensure(spec).await?;
    lay_out(control, job, attempt).await?;
    let (_, machine) = control.settings().machine(Some(&job.machine))?;
    Ok(process::spec(&process::Parts {
        job,
        machine,
        run_id: attempt.run_id.clone(),
        environment: &environment,
        folder: control.settings().layout.attempt(&attempt.id),
        inputs: control.mount_inputs(&job.inputs).await?,
        api_url: &control.settings().api_url,
        api_token: api_token(control, job).await?,
        uid_slot: Some(control.uid_slot(job.user_id).await?),
    }))
}

/// Starts the process and returns how it is. To be waited for: a start that is dropped may still bring the process up, with nobody to end it.
pub(super) async fn start(control: &Control, spec: Spec) -> Result<Status> {
    let handle = control.runtime().start(spec).await?;
    control
        .runtime()
        .status(&handle)
        .await?
        .ok_or_else(|| Error::not_found("the run vanished as it was started"))
}

/// Makes `repository` (a copy of the snapshot), `outputs` (empty) and `config` (the parameters).
async fn lay_out(control: &Control, job: &Job, attempt: &Attempt) -> Result<()> {
    let folder = control.settings().layout.attempt(&attempt.id);
    let snapshot = snapshots::get(control.db(), job.snapshot_id)
        .await?
        .ok_or_else(|| Error::not_found("the job's snapshot is gone"))?;
    let repository = folder.join("repository");
    make_folder(&folder).map_err(failed)?;
    if !tokio::fs::try_exists(&repository).await.unwrap_or(false) {
        materialise::copy_to(
            control.store(),
            snapshot.manifest_digest.parse()?,
            &repository,
            None,
        )
        .await?;
    }
    make_folder(&folder.join("outputs")).map_err(failed)?;
    make_folder(&folder.join("report")).map_err(failed)?;
    let parameters = serde_json::to_vec_pretty(&job.parameters)
        .map_err(|error| Error::internal("parameters are not JSON", error))?;
    write_config(&folder.join("config"), &parameters).map_err(failed)
}

/// Readable by whatever uid the work gets; it holds nothing secret.
fn write_config(folder: &Path, parameters: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    make_folder(folder)?;
    let file = folder.join("parameters.json");
    fs::write(&file, parameters)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// A token for what runs in the job: good for this job only, and only while it runs.
async fn api_token(control: &Control, job: &Job) -> Result<String> {
    let new = NewToken {
        user_id: job.user_id,
        name: format!("job {}#{}", job.project, job.number),
        scopes: vec!["job".to_owned()],
        expires_ms: None,
        workspace_id: None,
        job_id: Some(job.id),
    };
    let new = &new;
    let (_, secret) = control
        .db()
        .write(move |mut tx| async move { tokens::create(&mut tx, new).await })
        .await?;
    Ok(secret.expose().to_owned())
}

fn failed(error: std::io::Error) -> Error {
    Error::internal("an attempt's folders cannot be made", error)
}
