//! The one reconciler: looks at what was asked of workspaces and jobs and gives each that needs it a task that brings it about.
//!
//! It keeps no state that matters: after a crash the next one finds everything in the records and in the spawner.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use storage::{
    attempts, events,
    ids::{JobId, WorkspaceId},
    jobs, leases, machines, workspaces,
};
use tokio::{
    sync::Notify,
    task::{Id, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use crate::{Control, Queue, Result, jobs as job, placement::Outcome, workspaces as workspace};

/// How often it looks without being told to.
const PERIOD: Duration = Duration::from_secs(5);
/// What could not be brought about is tried again after this time.
const PAUSE: Duration = Duration::from_secs(2);
/// How often those who share the records hear that the machines held here are there.
pub(crate) const ALIVE: Duration = Duration::from_secs(15);
/// Who stands further back in the queue asks for their place when they want to know it.
const TOLD: usize = 10;
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
    /// The queue as people were last told.
    queue: Queue,
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
        let mut alive = time::interval(ALIVE);
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
                () = shutdown.cancelled() => return self.say_goodbye().await,
                _ = alive.tick() => {
                    self.keep_contact().await;
                    look = false;
                }
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
            if !self.holds(found.machine_id) {
                continue;
            }
            if found.desired == workspaces::Desired::Running {
                self.stop_workspace(found.id).await?;
            }
            tasks.add(self, Subject::Workspace(found.id));
        }
        for attempt in attempts::live(self.db()).await? {
            if self.holds(attempt.machine_id) {
                self.stop_job(attempt.job_id).await?;
                tasks.add(self, Subject::Job(attempt.job_id));
            }
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
                    events::Kind::WorkspaceChanged
                        | events::Kind::JobChanged
                        | events::Kind::MachineChanged
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

    /// Begins what can begin, and gives a task to everything here that needs one and has none.
    async fn sweep(&self, tasks: &mut Tasks) -> Result<()> {
        let mut decided = self.decide().await?;
        self.place(&decided).await?;
        for found in workspaces::active(self.db()).await? {
            if self.holds(found.machine_id) && !workspace::drive::waits(&found) {
                tasks.add(self, Subject::Workspace(found.id));
            }
        }
        for attempt in attempts::live(self.db()).await? {
            if self.holds(attempt.machine_id) {
                tasks.add(self, Subject::Job(attempt.job_id));
            }
        }
        decided
            .queue
            .retain(|(_, outcome)| matches!(outcome, Outcome::Wait(_)));
        self.tell_places(tasks, decided.places()).await
    }

    /// Tells who waits where they stand, those in front whose place or reason is another than they were last told.
    async fn tell_places(&self, tasks: &mut Tasks, queue: Queue) -> Result<()> {
        let moved = &queue.differs_from(&tasks.queue, TOLD);
        if !moved.is_empty() {
            let told = self.db().write(move |mut tx| async move {
                for subject in moved {
                    match *subject {
                        leases::Subject::Workspace(id) => {
                            workspaces::moved_up(&mut tx, id).await?;
                        }
                        leases::Subject::Job(id) => jobs::moved_up(&mut tx, id).await?,
                    }
                }
                Ok(())
            });
            told.await?;
        }
        tasks.queue = queue;
        Ok(())
    }

    async fn keep_contact(&self) {
        if self.db().is_shared() {
            self.say_alive().await;
        }
        if let Err(error) = self.give_up_silent().await {
            tracing::warn!(%error, "what ran on machines that are gone cannot be given up yet");
        }
    }

    async fn say_alive(&self) {
        for machine in self.hosts().all() {
            let id = machine.id();
            let said = self
                .db()
                .write(move |mut tx| async move { machines::seen(&mut tx, id).await });
            if let Err(error) = said.await {
                tracing::warn!(machine.id = %id, %error, "that a machine is there cannot be recorded");
            }
        }
    }

    /// Others need not wait for the silence.
    async fn say_goodbye(&self) {
        if !self.db().is_shared() {
            return;
        }
        let id = self.hosts().local().id();
        let said = self
            .db()
            .write(move |mut tx| async move { machines::left(&mut tx, id).await });
        if let Err(error) = said.await {
            tracing::warn!(machine.id = %id, %error, "that a machine leaves cannot be recorded");
        }
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
