//! Files of the scheduler's jobs: where a notebook lies in the project folder, and the copy of an executed one in the workspace's home. The copy is
//! made by the workspace's own server, so that nothing of ours ever writes among a person's files.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use control::workspaces::{Upstream, base_path};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ids::WorkspaceId, jobs::Job, manifest};
use tokio::time::timeout;

use crate::{
    app::App,
    error::ApiError,
    proxy::{self, Address},
};

/// The project folder, as JupyterLab's file browser names it.
pub(super) const ROOT: &str = "work/";

/// An executed notebook larger than this, in bytes, is not copied.
const MOST: u64 = 64 << 20;
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(5);
/// How long the writing of a file may take.
const WRITE: Duration = Duration::from_secs(30);

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

    /// Makes it, but leaves one that is there: the person may have written in it.
    ///
    /// # Errors
    /// 409 where the job has not ended or left no notebook; 400 where it is too large.
    pub(super) async fn make(&self, app: &App, home: &Home, job: &Job) -> Result<(), ApiError> {
        if home.has(self).await? {
            return Ok(());
        }
        let content = executed(app, job, &self.name).await?;
        for folder in ["jobs", &self.folder] {
            home.put(folder, &json!({"type": "directory"})).await?;
        }
        let body = json!({"type": "notebook", "format": "json", "content": content});
        home.put(&self.path(), &body).await
    }
}

/// The files of a workspace that runs, through its own server. Source: `jupyter_server/services/contents/handlers.py`.
pub(super) struct Home {
    address: Address,
    token: String,
    /// Below which the server has them.
    base: String,
}

impl Home {
    /// None where the workspace does not run.
    pub(super) async fn of(app: &App, workspace: WorkspaceId) -> Result<Option<Self>, ApiError> {
        Ok(match app.control().upstream(workspace).await? {
            Upstream::Running { address, token, .. } => Some(Self {
                address: address.into(),
                token,
                base: format!("{}api/contents/", base_path(&workspace)),
            }),
            Upstream::NotRunning { .. } => None,
        })
    }

    /// Whether the copy is there now.
    async fn has(&self, copy: &Copy) -> Result<bool, ApiError> {
        Ok(self.get(&copy.path(), "content=0").await?.is_some())
    }

    /// Which of these copies are there now, in their order; none where the server does not say so soon.
    pub(super) async fn have(&self, copies: &[Copy]) -> Vec<bool> {
        let look = timeout(LOOK, self.look_for(copies)).await;
        let look = look.ok().and_then(Result::ok);
        look.unwrap_or_else(|| vec![false; copies.len()])
    }

    async fn look_for(&self, copies: &[Copy]) -> Result<Vec<bool>, ApiError> {
        // One look tells most of them away.
        let Some(listing) = self.get("jobs", "type=directory").await? else {
            return Ok(vec![false; copies.len()]);
        };
        let listing: Listing = serde_json::from_slice(&listing).map_err(ApiError::unavailable)?;
        let folders: HashSet<&str> = listing
            .content
            .iter()
            .map(|one| one.path.as_str())
            .collect();
        let mut there = Vec::with_capacity(copies.len());
        for copy in copies {
            there.push(folders.contains(copy.folder.as_str()) && self.has(copy).await?);
        }
        Ok(there)
    }

    /// What the server has at a path; none where it says that there is nothing.
    async fn get(&self, path: &str, query: &str) -> Result<Option<Bytes>, ApiError> {
        let place = format!("{}?{query}", encoded(path));
        let (status, body) = self.ask(Method::GET, &place, String::new(), LOOK).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(body)),
            status => Err(ApiError::unavailable(format!(
                "the server of a workspace says {status} where its files are asked for"
            ))),
        }
    }

    async fn put(&self, path: &str, model: &Value) -> Result<(), ApiError> {
        let (status, _) = self
            .ask(Method::PUT, &encoded(path), model.to_string(), WRITE)
            .await?;
        if status.is_success() {
            return Ok(());
        }
        Err(ApiError::conflict(
            "The workspace's server did not take the file: is its disk full, or the folder `jobs` something else?",
        ))
    }

    async fn ask(
        &self,
        method: Method,
        rest: &str,
        body: String,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{rest}", self.base))
            .header("host", "localhost")
            .header("authorization", format!("token {}", self.token))
            .header("content-type", "application/json")
            .body(body)
            .map_err(ApiError::internal)?;
        proxy::ask(&self.address, request, patience)
            .await
            .map_err(ApiError::unavailable)
    }
}

/// What the server says of a folder, as far as it is looked at.
#[derive(Deserialize)]
struct Listing {
    content: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
}

fn encoded(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
    parts.collect::<Vec<_>>().join("/")
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
