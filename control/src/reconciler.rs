//! The one reconciler: looks at what was asked of workspaces and jobs and gives each that needs it a task that brings it about.
//!
//! It keeps no state that matters: after a crash the next one finds everything in the records and in the spawner.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use storage::{
    events,
    ids::{JobId, WorkspaceId},
    jobs, workspaces,
};
use tokio::{
    sync::Notify,
    task::{Id, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::{Control, Result, jobs as job, workspaces as workspace};

/// How often it looks without being told to.
const PERIOD: Duration = Duration::from_secs(5);
/// What could not be brought about is tried again after this time.
const PAUSE: Duration = Duration::from_secs(2);
/// Events read at once.
const EVENTS: u32 = 1000;

/// What a task looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Workspace(WorkspaceId),
    Job(JobId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace(id) => write!(f, "workspace {id}"),
            Self::Job(id) => write!(f, "job {id}"),
        }
    }
}

/// The tasks under way.
#[derive(Default)]
struct Tasks {
    set: JoinSet<()>,
    nudges: HashMap<String, (Subject, Arc<Notify>)>,
    subjects: HashMap<Id, String>,
}

impl Control {
    /// Brings workspaces and jobs to what was asked, until `shutdown`. What runs then goes on without this process.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut changed = self.db().changed();
        let mut seen = *changed.borrow_and_update();
        let mut hosts = self.hosts().changes();
        let mut tasks = Tasks::default();
        // Ends with this call.
        let mut keeper = JoinSet::new();
        let control = self.clone();
        keeper.spawn(async move { control.keep_homes().await });
        let mut look = true;
        loop {
            if look && let Err(error) = self.sweep(&mut tasks).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "what was asked cannot be read; trying again"
                );
            }
            look = true;
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(ended) = tasks.set.join_next_with_id() => tasks.ended(ended.map_or_else(|error| error.id(), |(id, ())| id)),
                () = time::sleep(PERIOD) => {}
                Ok(()) = hosts.changed() => {}
                news = changed.changed() => match news {
                    Err(_) => return,
                    Ok(()) => look = self.heed(&tasks, &mut seen).await,
                },
            }
        }
    }

    /// Wakes the tasks that news concern; says whether there was any that may ask for a new task.
    async fn heed(&self, tasks: &Tasks, seen: &mut i64) -> bool {
        let told = self.tell(tasks, seen).await;
        told.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "events cannot be read; trying again"
            );
            true
        })
    }

    /// Asks every server and every attempt to end, and returns once all have: the end of a machine's day, on purpose.
    ///
    /// Only where nobody else runs [`Control::run`] on this data directory. Jobs that wait go on waiting.
    pub async fn stop_everything(&self) -> Result<()> {
        let mut tasks = Tasks::default();
        for found in workspaces::active(self.db()).await? {
            if found.desired == workspaces::Desired::Running {
                self.stop_workspace(found.id).await?;
            }
            tasks.add(self, Subject::Workspace(found.id));
        }
        for id in jobs::running(self.db()).await? {
            self.stop_job(id).await?;
            tasks.add(self, Subject::Job(id));
        }
        while tasks.set.join_next().await.is_some() {}
        self.clean_up().await
    }

    /// Wakes the tasks whose records changed since event `seen`, and moves `seen` on. Metadata, which is most of the news, changes
    /// nothing that is to be brought about.
    async fn tell(&self, tasks: &Tasks, seen: &mut i64) -> Result<bool> {
        let mut stirred = false;
        loop {
            let news = events::after(self.db(), *seen, EVENTS).await?;
            let Some(last) = news.last() else {
                return Ok(stirred);
            };
            *seen = last.number;
            let work = |event: &&events::Event| {
                matches!(
                    event.kind,
                    events::Kind::WorkspaceChanged | events::Kind::JobChanged
                )
            };
            for event in news.iter().filter(work) {
                stirred = true;
                if let Some((_, nudge)) = tasks.nudges.get(&event.subject) {
                    nudge.notify_one();
                }
            }
        }
    }

    /// Gives a task to everything that needs one and has none.
    async fn sweep(&self, tasks: &mut Tasks) -> Result<()> {
        for found in workspaces::active(self.db()).await? {
            tasks.add(self, Subject::Workspace(found.id));
        }
        let running = jobs::running(self.db()).await?;
        for id in &running {
            tasks.add(self, Subject::Job(*id));
        }
        let places = self.settings().max_jobs.get().saturating_sub(running.len());
        // Claiming takes the database's one writer: not without need.
        let waiting = usize::try_from(jobs::waiting(self.db()).await?).unwrap_or(usize::MAX);
        for _ in 0..places.min(waiting) {
            let claimed = self
                .db()
                .write(|mut tx| async move { jobs::claim(&mut tx, None).await })
                .await?;
            let Some((job, _)) = claimed else { break };
            tasks.add(self, Subject::Job(job.id));
        }
        Ok(())
    }
}

impl Tasks {
    fn add(&mut self, control: &Control, subject: Subject) {
        let key = match subject {
            Subject::Workspace(id) => id.to_string(),
            Subject::Job(id) => id.to_string(),
        };
        if self.nudges.contains_key(&key) {
            return;
        }
        let nudge = Arc::new(Notify::new());
        self.nudges
            .insert(key.clone(), (subject, Arc::clone(&nudge)));
        let task = self.set.spawn(look_after(control.clone(), subject, nudge));
        self.subjects.insert(task.id(), key);
    }

    fn ended(&mut self, task: Id) {
        if let Some(key) = self.subjects.remove(&task) {
            self.nudges.remove(&key);
        }
    }
}

/// A failure is told and waited out; the next sweep gives the subject a new task if it still needs one.
async fn look_after(control: Control, subject: Subject, nudge: Arc<Notify>) {
    let done = match subject {
        Subject::Workspace(id) => workspace::drive::drive(&control, id, &nudge).await,
        Subject::Job(id) => job::drive::drive(&control, id, &nudge).await,
    };
    if let Err(error) = done {
        tracing::warn!(%subject, error = &error as &dyn std::error::Error, "not brought about yet; trying again");
        time::sleep(PAUSE).await;
    }
}
