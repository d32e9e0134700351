//! The whole gateway on a port of its own, over an empty database, an empty store and a clock that stands still.

use std::{collections::BTreeMap, sync::Arc};

use control::{
    Adoptable, Capacity, Control, Homes, Layout, LocalMachine, MachineType, Machines, Parts,
    Settings, machine::Host,
};
use gateway::{
    App, Config,
    config::{Listener, Role},
    listen::Listening,
};
use spawner::{EnvironmentSpec, Environments};
use storage::{
    Db, Tx,
    clock::Fixed,
    ids::{JobId, MachineId, UserId},
    mount::{Mounts, Rung},
    objects::Store,
    secret::SealingKey,
    sessions, tokens,
    users::{self, NewUser, User},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{client::Client, runtime::Quiet};

/// When every test begins.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;
pub(crate) const DAY_MS: i64 = 24 * 3600 * 1000;

pub(crate) struct TestApp {
    pub(crate) clock: Fixed,
    pub(crate) control: Control,
    pub(crate) runtime: Quiet,
    pub(crate) app: App,
    /// The app's origin as browsers know it.
    pub(crate) origin: String,
    port: u16,
    shutdown: CancellationToken,
    schema: Option<Schema>,
    folder: TempDir,
}

/// A schema of its own on a PostgreSQL server, dropped with this.
struct Schema {
    server: String,
    name: String,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Fixed::at(NOW_MS);
        let (db, schema) = open(&folder, &clock).await;
        let runtime = Quiet::default();
        let control = control(&folder, db, runtime.clone()).await;
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener {
            address,
            role: Role::App,
            tls: None,
        };
        let socket = Listening::bind(&listener).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let origin = format!("http://localhost:{port}");
        let app = App::new(
            Config::new(origin.parse().unwrap(), address),
            control.clone(),
        );
        let shutdown = CancellationToken::new();
        tokio::spawn(app.clone().run(vec![socket], shutdown.clone()));
        Self {
            clock,
            control,
            runtime,
            app,
            origin,
            port,
            shutdown,
            schema,
            folder,
        }
    }

    /// Where its store keeps objects.
    pub(crate) fn store_path(&self) -> std::path::PathBuf {
        Layout::new(self.folder.path()).store()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn db(&self) -> &Db {
        self.control.db()
    }

    /// A client without credentials.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.port)
    }

    /// A client that sends a token.
    pub(crate) fn with_token(&self, token: &str) -> Client {
        self.anonymous()
            .header("authorization", &format!("Bearer {token}"))
    }

    /// A browser that is signed in, on a page of the app.
    pub(crate) fn browser(&self, secret: &str) -> Client {
        self.anonymous()
            .header("cookie", &format!("cairn_session={secret}"))
            .header("origin", &self.origin)
    }

    pub(crate) async fn user(&self, name: &str, admin: bool) -> User {
        let new = NewUser {
            name: name.to_owned(),
            admin,
            ..NewUser::default()
        };
        let new = &new;
        self.write(move |mut tx| async move { users::create(&mut tx, new).await })
            .await
    }

    /// A browser in which the user is signed in.
    pub(crate) async fn signed_in(&self, user: UserId) -> Client {
        self.browser(&self.session(user).await)
    }

    pub(crate) async fn session(&self, user: UserId) -> String {
        let ttl_ms = 14 * DAY_MS;
        let (_, secret) = self
            .write(
                move |mut tx| async move { sessions::create(&mut tx, user, "test", ttl_ms).await },
            )
            .await;
        secret.expose().to_owned()
    }

    /// A personal token with these scopes.
    pub(crate) async fn token(&self, user: UserId, scopes: &[&str]) -> String {
        let new = tokens::NewToken {
            user_id: user,
            name: "test".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expires_ms: None,
            workspace_id: None,
            job_id: None,
        };
        self.make_token(&new).await.1
    }

    pub(crate) async fn make_token(&self, new: &tokens::NewToken) -> (tokens::Token, String) {
        let (token, secret) = self
            .write(move |mut tx| async move { tokens::create(&mut tx, new).await })
            .await;
        (token, secret.expose().to_owned())
    }

    pub(crate) async fn write<T, W, F>(&self, work: W) -> T
    where
        T: Send,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = storage::Result<T>> + Send,
    {
        self.db().write(work).await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let Some(schema) = self.schema.take() else {
            return;
        };
        // A drop cannot wait for a future of the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let drop = schema.run("DROP SCHEMA", "CASCADE");
            runtime.unwrap().block_on(drop);
        });
        let _ = dropped.join();
    }
}

async fn open(folder: &TempDir, clock: &Fixed) -> (Db, Option<Schema>) {
    let clock = Arc::new(clock.clone());
    let Ok(server) = std::env::var("CAIRN_TEST_POSTGRES_URL") else {
        let url = Db::sqlite_url(&folder.path().join("cairn.db")).unwrap();
        return (Db::open(&url, clock).await.unwrap(), None);
    };
    let name = format!("g_{}", JobId::new(&storage::clock::System)).replace('-', "");
    let schema = Schema { server, name };
    schema.run("CREATE SCHEMA", "").await;
    let Schema { server, name } = &schema;
    let url = format!("{server}?options[search_path]={name}");
    (Db::open(&url, clock).await.unwrap(), Some(schema))
}

impl Schema {
    async fn run(&self, before: &str, after: &str) {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&self.server).await.unwrap();
        let text = sqlx::AssertSqlSafe(format!("{before} {} {after}", self.name));
        sqlx::query(text).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

/// Inputs as trees: nothing stays mounted when a test ends.
pub(crate) async fn farms(store: &Store) -> Mounts {
    let rung = Rung::Farm("a test".to_owned());
    Mounts::open(store, rung).await.unwrap()
}

async fn control(folder: &TempDir, db: Db, runtime: Quiet) -> Control {
    let layout = Layout::new(folder.path());
    let store = Store::open(&layout.store(), db.clone()).await.unwrap();
    let environment = EnvironmentSpec {
        name: "default".to_owned(),
        python: None,
        packages: vec!["jupyterlab".to_owned()],
        image: None,
        contained: false,
    };
    let local = LocalMachine::new(Host {
        id: MachineId::new(&storage::clock::System),
        mounts: farms(&store).await,
        engine: None,
        store: store.clone(),
        runtime: Arc::new(runtime),
        environments: Environments::new(layout.environments(), "uv"),
        layout,
        api_url: None,
        isolated: false,
        contained: false,
    });
    let parts = Parts {
        db,
        store,
        machines: Machines::new(Arc::new(local)),
        key: SealingKey::load_or_create(&folder.path().join("secret_key")).unwrap(),
    };
    let settings = Settings {
        allowed_images: Vec::new(),
        base_image: String::new(),
        environments: BTreeMap::from([("default".to_owned(), environment)]),
        machines: BTreeMap::from([("local".to_owned(), MachineType::default())]),
        homes: Homes::default(),
        collect_every: None,
        copies_bytes: None,
        scrub: None,
        buckets: buckets(),
        capacity: Capacity {
            name: "desk".to_owned(),
            runtimes: vec!["process".to_owned()],
            cpu_millicores: Some(4000),
            slots: Some(1),
            ..Capacity::default()
        },
        scratch: folder.path().to_owned(),
        offline_grace: std::time::Duration::from_mins(10),
        api_url: "http://localhost".to_owned(),
    };
    let control = Control::new(parts, settings);
    control.register().await.unwrap();
    control
}

/// What may be adopted: by every project, by `vision`, and by another one.
fn buckets() -> Vec<Adoptable> {
    let one = |name: &str, prefix: &str, projects: Option<&str>| Adoptable {
        name: name.to_owned(),
        bucket: name.to_owned(),
        prefix: prefix.to_owned(),
        projects: projects.map(|name| vec![name.to_owned()]),
    };
    vec![
        one("lab", "data/", None),
        one("scans", "", Some("vision")),
        one("secret", "data/", Some("other")),
    ]
}
