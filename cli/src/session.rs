//! What most commands begin with: a runtime, a client, and the project that is meant.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::api::types::{Job, Project, User, Workspace};
use crate::api::{Call, Client, status_of, types};
use crate::home::{Home, key, variable};
use crate::reference::{self, JobRef};

/// The server that this person uses, and their choices.
#[derive(Debug)]
pub(crate) struct Session {
    /// The server.
    pub(crate) client: Client,
    /// Their choices, and what else is kept for them.
    pub(crate) home: Home,
}

/// Runs a command's asynchronous part on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let result = runtime.block_on(work);
    // Something may still sit in a blocking read of a terminal or a slow disk: nothing waits for it.
    runtime.shutdown_background();
    result
}

impl Session {
    /// A session with the server that this person is signed in to.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let home = Home::find()?;
        Ok(Self {
            client: Client::for_home(&home)?,
            home,
        })
    }

    /// The name of the project that is meant: the one given, else `CAIRN_PROJECT`, else the one chosen by `project use`, else one's own.
    pub(crate) async fn project(&self, given: Option<&str>) -> anyhow::Result<String> {
        if let Some(name) = given {
            return Ok(name.to_owned());
        }
        if let Some(name) = variable("CAIRN_PROJECT") {
            return reference::name(&name)
                .map_err(anyhow::Error::msg)
                .context("CAIRN_PROJECT");
        }
        if let Some(name) = self.home.state()?.projects.get(&key(self.client.url())) {
            return Ok(name.clone());
        }
        let me: User = self.client.fetch(Call::get(&["me"])).await?;
        Ok(me.name)
    }

    /// As [`project`](Self::project), and makes one's own project when it is that one and it does not exist yet.
    pub(crate) async fn project_to_fill(&self, given: Option<&str>) -> anyhow::Result<String> {
        let name = self.project(given).await?;
        match self.client.call(Call::get(&["projects", &name])).await {
            Ok(_) => return Ok(name),
            Err(error) if status_of(&error).is_some_and(|status| status == 404) => {}
            Err(error) => return Err(error),
        }
        let me: User = self.client.fetch(Call::get(&["me"])).await?;
        if given.is_some() || me.name != name {
            anyhow::bail!(
                "there is no project {name} that you can see: `cairn project ls` lists yours, `cairn project create {name}` makes it"
            );
        }
        let body = json!({ "name": name, "description": format!("{}'s own project", me.display_name_or_name()) });
        match self
            .client
            .call(Call::post(&["projects"]).body(body)?)
            .await
        {
            Ok(_) => Ok(name),
            Err(error) if status_of(&error).is_some_and(|status| status == 409) => {
                anyhow::bail!(
                    "the project {name} belongs to others: choose one with `cairn project use NAME`"
                )
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers a project as the current one.
    ///
    /// # Errors
    /// When we cannot see such a project.
    pub(crate) async fn choose_project(&self, name: &str) -> anyhow::Result<Value> {
        let value = self.client.call(Call::get(&["projects", name])).await?;
        let project: Project = types::read(&value)?;
        let mut state = self.home.state()?;
        state.projects.insert(key(self.client.url()), project.name);
        self.home.save_state(&state)?;
        Ok(value)
    }

    /// A job, as the API gives it.
    pub(crate) async fn job(&self, job: &JobRef) -> anyhow::Result<Place> {
        let project = self.project(job.project.as_deref()).await?;
        Ok(Place {
            project,
            number: job.number.to_string(),
        })
    }

    /// The workspace of that name (or id) in the project that is meant: one's own before others'.
    pub(crate) async fn workspace(
        &self,
        project: Option<&str>,
        name: &str,
    ) -> anyhow::Result<Workspace> {
        let project = self.project(project).await?;
        let list = self
            .client
            .list(&["projects", &project, "workspaces"], &[], 10_000)
            .await?;
        let mut found: Vec<Workspace> = types::items(&list)?;
        found.retain(|workspace| workspace.name == name || workspace.id == name);
        if found.len() > 1 {
            let me: User = self.client.fetch(Call::get(&["me"])).await?;
            found.sort_by_key(|workspace| workspace.user != me.name);
        }
        found.into_iter().next().with_context(|| {
            format!(
                "there is no workspace {name} in the project {project}: `cairn ws ls` lists them"
            )
        })
    }
}

/// Where a job is in the API.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The project's name.
    pub(crate) project: String,
    /// The job's number, as text.
    pub(crate) number: String,
}

impl Place {
    /// The path of the job, or of something below it.
    pub(crate) fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        [&["projects", &self.project, "jobs", &self.number], below].concat()
    }

    /// Where a job that the API gave is.
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            project: job.project.clone(),
            number: job.number.to_string(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.project, self.number)
    }
}
