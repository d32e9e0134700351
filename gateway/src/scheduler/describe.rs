//! A job as jupyter-scheduler describes it. Source: `jupyter_scheduler/models.py`, `DescribeJob` and `Status`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::jobs::{Job, State};

use super::files::{Copy, ROOT};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Created,
    Queued,
    InProgress,
    Completed,
    Failed,
    Stopping,
    Stopped,
}

impl Status {
    pub(super) fn of(job: &Job) -> Self {
        match job.state {
            State::Created => Self::Created,
            State::Queued => Self::Queued,
            State::Started => Self::InProgress,
            State::Stopping => Self::Stopping,
            State::Stopped => Self::Stopped,
            State::Error => Self::Failed,
            State::Complete => Self::Completed,
        }
    }
}

/// A job. Times are milliseconds since 1970, UTC.
#[derive(Debug, Serialize)]
pub(super) struct DescribeJob {
    job_id: String,
    name: String,
    input_filename: String,
    runtime_environment_name: String,
    runtime_environment_parameters: Map<String, Value>,
    output_formats: Vec<&'static str>,
    idempotency_token: Option<String>,
    job_definition_id: Option<String>,
    parameters: Map<String, Value>,
    tags: Vec<String>,
    output_filename_template: String,
    compute_type: String,
    job_files: Vec<JobFile>,
    url: String,
    create_time: i64,
    update_time: i64,
    start_time: Option<i64>,
    end_time: Option<i64>,
    status: Status,
    status_message: Option<String>,
    downloaded: bool,
    package_input_folder: bool,
    packaged_files: Vec<String>,
}

#[derive(Debug, Serialize)]
struct JobFile {
    display_name: &'static str,
    file_format: &'static str,
    file_path: Option<String>,
}

impl DescribeJob {
    pub(super) fn new(job: &Job, copy: &Copy, is_there: bool) -> Self {
        let notebook = job.notebook.clone().unwrap_or_default();
        let input_filename = super::files::file_name(&notebook).to_owned();
        let update = [job.ended_ms, job.started_ms, job.queued_ms];
        let text = |value: &Value| {
            Value::String(
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        };
        let parameters = job
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), text(value)));
        Self {
            job_id: job.id.to_string(),
            name: job.name.clone(),
            runtime_environment_name: job.environment.clone(),
            runtime_environment_parameters: Map::new(),
            output_formats: vec!["ipynb"],
            idempotency_token: None,
            job_definition_id: None,
            parameters: parameters.collect(),
            tags: job.tags.clone(),
            output_filename_template: "{{input_filename}}".to_owned(),
            compute_type: job.machine.clone(),
            job_files: vec![
                JobFile {
                    display_name: "Notebook",
                    file_format: "ipynb",
                    file_path: is_there.then(|| copy.path()),
                },
                JobFile {
                    display_name: "Input",
                    file_format: "input",
                    file_path: Some(format!("{ROOT}{notebook}")),
                },
            ],
            url: format!("/jobs/{}", job.id),
            create_time: job.created_ms,
            update_time: update
                .into_iter()
                .flatten()
                .next()
                .unwrap_or(job.created_ms),
            start_time: job.started_ms,
            end_time: job.ended_ms,
            status: Status::of(job),
            status_message: job.message.clone(),
            downloaded: is_there,
            package_input_folder: true,
            packaged_files: Vec::new(),
            input_filename,
        }
    }
}
