//! Files of the scheduler's jobs: where a notebook lies in the project folder, and the copy of an executed one in the workspace's home. The copy is
//! made by the workspace's own server, so that nothing of ours ever writes among a person's files.

use control::workspaces::{Upstream, base_path};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use storage::{ids::WorkspaceId, jobs::Job, manifest};

use crate::{app::App, error::ApiError, proxy};

/// The project folder, as JupyterLab's file browser names it.
pub(super) const ROOT: &str = "work/";

/// An executed notebook larger than this, in bytes, is not copied.
const MOST: u64 = 64 << 20;

/// The path within the project folder of a file that JupyterLab names.
///
/// # Errors
/// 400 for one that lies elsewhere: jobs see the project folder only.
pub(super) fn in_project(uri: &str) -> Result<String, ApiError> {
    let path = uri.trim_start_matches('/');
    let path = path.strip_prefix("RTC:").unwrap_or(path);
    let found = path.strip_prefix(ROOT).filter(|path| !path.is_empty());
    found.map(str::to_owned).ok_or_else(|| {
        ApiError::invalid(
            "The notebook lies outside the folder `work`, and jobs see that folder only: move it there.",
        )
    })
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The copy of a job's executed notebook in the home: `jobs/12/train.ipynb`.
pub(super) struct Copy {
    folder: String,
    name: String,
}

impl Copy {
    pub(super) fn of(job: &Job) -> Self {
        Self {
            folder: format!("jobs/{}", job.number),
            name: file_name(job.notebook.as_deref().unwrap_or_default()).to_owned(),
        }
    }

    /// Where it is, as JupyterLab names it.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }

    /// Whether it is there now; no where nobody can say.
    pub(super) async fn is_there(&self, app: &App, workspace: WorkspaceId) -> bool {
        let question = contents(app, workspace, Method::GET, &self.path(), None).await;
        question.is_ok_and(|status| status.is_success())
    }

    /// Makes it, in place of an older one.
    ///
    /// # Errors
    /// 409 where the job has not ended or left no notebook, or where the workspace does not run; 400 where it is too large.
    pub(super) async fn make(
        &self,
        app: &App,
        workspace: WorkspaceId,
        job: &Job,
    ) -> Result<(), ApiError> {
        let content = executed(app, job, &self.name).await?;
        for folder in ["jobs", &self.folder] {
            let body = json!({"type": "directory"});
            let made = contents(app, workspace, Method::PUT, folder, Some(body)).await?;
            refuse(made)?;
        }
        let body = json!({"type": "notebook", "format": "json", "content": content});
        refuse(contents(app, workspace, Method::PUT, &self.path(), Some(body)).await?)
    }
}

async fn executed(app: &App, job: &Job, name: &str) -> Result<Value, ApiError> {
    let none =
        || ApiError::conflict("The job has left no executed notebook, or has not ended yet.");
    let outputs = job.outputs.as_ref().ok_or_else(none)?;
    let digest = outputs
        .manifest_digest
        .parse()
        .map_err(ApiError::internal)?;
    let store = app.control().store();
    let file = manifest::file(store, digest, name)
        .await?
        .ok_or_else(none)?;
    if file.bytes > MOST {
        return Err(ApiError::invalid(
            "The executed notebook is larger than 64 MiB: attach the job's outputs to the workspace instead.",
        ));
    }
    let content = manifest::read(store, digest, name, None).await?;
    let bytes = content.ok_or_else(none)?.collect().await?;
    serde_json::from_slice(&bytes).map_err(|_| none())
}

fn refuse(status: StatusCode) -> Result<(), ApiError> {
    if status.is_success() {
        return Ok(());
    }
    Err(ApiError::conflict(
        "The workspace's server did not take the file: is its disk full, or the folder `jobs` something else?",
    ))
}

/// Asks the workspace's server to do something with a file. Source: `jupyter_server/services/contents/handlers.py`.
async fn contents(
    app: &App,
    workspace: WorkspaceId,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<StatusCode, ApiError> {
    let Upstream::Running { address, token, .. } = app.control().upstream(workspace).await? else {
        return Err(ApiError::conflict("The workspace does not run."));
    };
    let path: Vec<String> = path
        .split('/')
        .map(|part| {
            percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        })
        .collect();
    let query = if body.is_none() { "?content=0" } else { "" };
    let uri = format!(
        "{}api/contents/{}{query}",
        base_path(&workspace),
        path.join("/")
    );
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost")
        .header("authorization", format!("token {token}"))
        .header("content-type", "application/json")
        .body(body.map_or_else(String::new, |body| body.to_string()))
        .map_err(ApiError::internal)?;
    proxy::ask(&address.into(), request)
        .await
        .map_err(ApiError::unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notebooks_are_those_of_the_project_folder() {
        assert_eq!(in_project("work/a/b.ipynb").unwrap(), "a/b.ipynb");
        assert_eq!(in_project("RTC:work/b.ipynb").unwrap(), "b.ipynb");
        for bad in ["a.ipynb", "", "work", "work/", "works/a.ipynb", "../work/a"] {
            assert!(in_project(bad).is_err(), "{bad}");
        }
    }
}
