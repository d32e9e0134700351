//! Describes an attempt to the machine that is to run it. Safe to repeat after a crash at any point.

use storage::{
    attempts::Attempt,
    jobs::Job,
    leases::Subject,
    snapshots,
    tokens::{self, NewToken},
};

use crate::{
    Control, Error, Result,
    machine::{AttemptWork, Secrets, Task, Work},
    settings::software,
};

/// What the attempt runs.
pub(super) async fn work(control: &Control, job: &Job, attempt: &Attempt) -> Result<Work> {
    let settings = control.settings();
    let (_, environment) = settings.environment(Some(&job.environment))?;
    let (_, machine) = settings.machine(Some(&job.machine))?;
    let snapshot = snapshots::get(control.db(), job.snapshot_id)
        .await?
        .ok_or_else(|| Error::not_found("the job's snapshot is gone"))?;
    let task = AttemptWork {
        id: attempt.id,
        job_id: job.id,
        job: format!("{}#{}", job.project, job.number),
        project_id: job.project_id,
        repository: snapshot.manifest_digest.parse()?,
        command: job.command.clone(),
        notebook: job.notebook.clone(),
        parameters: job.parameters.clone(),
        time_limit_ms: job.time_limit_ms,
        cell_time_limit_ms: job.cell_time_limit_ms,
        hold_ms: job.hold_ms,
    };
    Ok(Work {
        run_id: attempt.run_id.clone(),
        environment: software(environment, machine),
        machine: machine.clone(),
        gpus: control.leased(Subject::Job(job.id), attempt.number).await?,
        inputs: job.inputs.clone(),
        uid_slot: Some(control.uid_slot(job.user_id).await?),
        api_url: settings.api_url.clone(),
        task: Task::Attempt(Box::new(task)),
    })
}

/// A token for what runs in the job: good for this job only, and only while it runs.
pub(super) async fn secrets(control: &Control, job: &Job) -> Result<Secrets> {
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
    Ok(Secrets {
        api_token: secret.expose().to_owned(),
        server_token: None,
    })
}
