//! An empty database of either kind, a clock that stands still, and records to begin with.

use std::sync::Arc;

use serde_json::Map;
use storage::attempts::Attempt;
use storage::clock::Fixed;
use storage::ids::{JobId, ProjectId, UserId, WorkspaceId};
use storage::jobs::{Ending, Job, NewJob};
use storage::leases::Claim;
use storage::snapshots::{NewSnapshot, Snapshot};
use storage::users::{NewUser, User};
use storage::workspaces::{NewWorkspace, Workspace};
use storage::{Db, jobs, leases, machines, projects, snapshots, users, workspaces};

/// When every test begins.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;
const POSTGRES: &str = "CAIRN_TEST_POSTGRES_URL";

pub(crate) struct Bed {
    pub(crate) db: Db,
    pub(crate) clock: Fixed,
    pub(crate) url: String,
    _folder: Option<tempfile::TempDir>,
    schema: Option<(String, String)>,
}

/// Makes of each test one for SQLite and one for PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let bed = crate::bed::Bed::sqlite().await;
                super::$name(&bed).await;
                bed.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let Some(bed) = crate::bed::Bed::postgres().await else { return };
                super::$name(&bed).await;
                bed.close().await;
            })*
        }
    };
}

pub(crate) use on_both;

/// What a piece of work in a transaction of its own comes to.
macro_rules! written {
    ($bed:expr, |$tx:ident| $work:expr) => {
        $bed.db.write(|mut $tx| async move { $work.await }).await
    };
}

pub(crate) use written;

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Db::sqlite_url(
            &folder
                .path()
                .join("a folder?with#marks%")
                .join("../cairn.db"),
        )
        .unwrap();
        std::fs::create_dir(folder.path().join("a folder?with#marks%")).unwrap();
        let clock = Fixed::at(NOW_MS);
        let db = Db::open(&url, Arc::new(clock.clone())).await.unwrap();
        Self {
            db,
            clock,
            url,
            _folder: Some(folder),
            schema: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var(POSTGRES) else {
            eprintln!(
                "skipped: {POSTGRES} is not set (deploy/testbed/postgres.sh start prints one)"
            );
            return None;
        };
        let clock = Fixed::at(NOW_MS);
        let schema = format!(
            "t_{}",
            JobId::new(&storage::clock::System)
                .to_string()
                .replace('-', "")
        );
        statement(&server, format!("CREATE SCHEMA {schema}")).await;
        let url = format!("{server}?options[search_path]={schema}");
        let db = Db::open(&url, Arc::new(clock.clone())).await.unwrap();
        Some(Self {
            db,
            clock,
            url,
            _folder: None,
            schema: Some((server, schema)),
        })
    }

    pub(crate) async fn close(self) {
        self.db.close().await;
        if let Some((server, schema)) = self.schema {
            statement(&server, format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }

    /// The same database as another process would open it.
    pub(crate) async fn again(&self) -> Db {
        Db::open(&self.url, Arc::new(self.clock.clone()))
            .await
            .unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        let new = NewUser {
            name: name.to_owned(),
            ..NewUser::default()
        };
        let new = &new;
        self.db
            .write(|mut tx| async move { users::create(&mut tx, new).await })
            .await
            .unwrap()
    }

    pub(crate) async fn project(&self, owner: UserId, name: &str) -> ProjectId {
        self.db
            .write(|mut tx| async move { projects::create(&mut tx, name, "", owner).await })
            .await
            .unwrap()
            .id
    }

    pub(crate) async fn snapshot(&self, project_id: ProjectId, user_id: UserId) -> Snapshot {
        let new = NewSnapshot {
            project_id,
            user_id,
            workspace_id: None,
            manifest_digest: "aa".repeat(32),
            content_digest: "bb".repeat(32),
            files: 3,
            bytes: 300,
            skipped: Vec::new(),
        };
        let new = &new;
        self.db
            .write(|mut tx| async move { snapshots::create(&mut tx, new).await })
            .await
            .unwrap()
    }

    /// A user, a project of theirs, and a job to submit there.
    pub(crate) async fn ready(&self) -> NewJob {
        let user = self.user("ada").await;
        let project_id = self.project(user.id, "vision").await;
        let snapshot = self.snapshot(project_id, user.id).await;
        NewJob {
            project_id,
            user_id: user.id,
            name: "train".to_owned(),
            workspace_id: None,
            snapshot_id: snapshot.id,
            command: Some(vec!["python".to_owned(), "train.py".to_owned()]),
            notebook: None,
            parameters: Map::new(),
            inputs: Vec::new(),
            environment: "default".to_owned(),
            machine: "cpu".to_owned(),
            idempotency_key: None,
            rerun_of: None,
            time_limit_ms: None,
            cell_time_limit_ms: None,
            hold_ms: None,
            tags: Vec::new(),
            retries: 0,
            queue: true,
        }
    }

    pub(crate) async fn submit(&self, new: &NewJob) -> Job {
        self.db
            .write(|mut tx| async move { jobs::create(&mut tx, new).await })
            .await
            .unwrap()
            .job
    }

    pub(crate) async fn workspace(
        &self,
        project_id: ProjectId,
        user_id: UserId,
        name: &str,
    ) -> Workspace {
        let (name, environment, machine) =
            (name.to_owned(), "default".to_owned(), "cpu".to_owned());
        let new = NewWorkspace {
            project_id,
            user_id,
            name,
            environment,
            machine,
            inputs: Vec::new(),
        };
        let new = &new;
        self.db
            .write(|mut tx| async move { workspaces::create(&mut tx, new).await })
            .await
            .unwrap()
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        jobs::get(&self.db, id).await.unwrap().unwrap()
    }

    pub(crate) async fn workspace_now(&self, id: WorkspaceId) -> Workspace {
        workspaces::get(&self.db, id).await.unwrap().unwrap()
    }
}

/// Begins an attempt at the job that has waited longest, on a machine that is there for it.
pub(crate) async fn claim(bed: &Bed) -> (Job, Attempt) {
    let known = machines::list(&bed.db).await.unwrap();
    let machine = if let Some(known) = known.into_iter().next() {
        known
    } else {
        let new = &crate::machines::registration(bed, "desk");
        written!(bed, |tx| machines::register(&mut tx, new)).unwrap()
    };
    let next = jobs::queued(&bed.db, 1).await.unwrap()[0].id;
    let claim = &Claim {
        machine_id: machine.id,
        machine: "cpu".to_owned(),
        cpu_millicores: 0,
        memory_bytes: 0,
        devices: Vec::new(),
        price: None,
    };
    written!(bed, |tx| leases::place_job(&mut tx, next, claim))
        .unwrap()
        .unwrap()
}

pub(crate) fn ending(state: jobs::State) -> Ending {
    Ending {
        state,
        message: None,
        exit_code: Some(0),
        signal: None,
        outputs: None,
        log_hash: None,
        log_bytes: 0,
    }
}

async fn statement(server: &str, text: String) {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection.execute(AssertSqlSafe(text)).await.unwrap();
    connection.close().await.unwrap();
}
