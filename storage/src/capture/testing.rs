//! What tests of this crate's object side share: a store on a fresh database, folders, a small disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bucket::{Bucket, tests::access};
use crate::clock::System;
use crate::db::Db;
use crate::ids::{ProjectId, UserId};
use crate::objects::{Buckets, KeptIn, Store};
use crate::users::NewUser;
use crate::{projects, users};

/// A store with a project and a user, in a folder that goes away with it: on PostgreSQL, in a schema that this test alone uses, where
/// `CAIRN_TEST_POSTGRES_URL` names a server, else on SQLite.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) project: ProjectId,
    pub(crate) user: UserId,
    pub(crate) dir: tempfile::TempDir,
    url: String,
    kept: KeptIn,
    _schema: Option<Schema>,
}

/// A schema of a PostgreSQL server; dropped with it.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// Makes one; returns the URL of a database in it too.
    async fn make(server: String) -> (String, Self) {
        let name = format!("t_{}", UserId::new(&System)).replace('-', "");
        statement(&server, format!("CREATE SCHEMA {name}")).await;
        let url = format!("{server}?options[search_path]={name}");
        (url, Self { server, name })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (server, text) = (
            self.server.clone(),
            format!("DROP SCHEMA {} CASCADE", self.name),
        );
        // A drop cannot wait for a future of the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(statement(&server, text));
        });
        let _ = dropped.join();
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::on(
            std::env::var("CAIRN_TEST_POSTGRES_URL").ok(),
            None,
            Buckets::new(),
        )
        .await
    }

    /// The same beside buckets that things are adopted from; itself in a bucket or not.
    pub(crate) async fn adopting(bucket: Option<Bucket>, others: Buckets) -> Self {
        let server = std::env::var("CAIRN_TEST_POSTGRES_URL").ok();
        Self::on(server, bucket, others).await
    }

    /// The same with its store in a bucket.
    pub(crate) async fn in_bucket(bucket: Bucket) -> Self {
        let server = std::env::var("CAIRN_TEST_POSTGRES_URL").ok();
        Self::on(server, Some(bucket), Buckets::new()).await
    }

    /// The same on SQLite.
    pub(crate) async fn sqlite_in(bucket: Bucket) -> Self {
        Self::on(None, Some(bucket), Buckets::new()).await
    }

    /// The same on SQLite, for what another process opens by its folder.
    pub(crate) async fn sqlite() -> Self {
        Self::on(None, None, Buckets::new()).await
    }

    /// An empty database, on PostgreSQL where that is named, beside a store of another one.
    pub(crate) async fn empty() -> Self {
        let fixture = Self::sqlite().await;
        let Some(server) = std::env::var("CAIRN_TEST_POSTGRES_URL").ok() else {
            let url = Db::sqlite_url(&fixture.dir.path().join("empty.db")).unwrap();
            return Self { url, ..fixture };
        };
        let (url, schema) = Schema::make(server).await;
        Self {
            url,
            _schema: Some(schema),
            ..fixture
        }
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn on(server: Option<String>, bucket: Option<Bucket>, others: Buckets) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (url, schema) = match server {
            Some(server) => {
                let (url, schema) = Schema::make(server).await;
                (url, Some(schema))
            }
            None => (Db::sqlite_url(&dir.path().join("cairn.db")).unwrap(), None),
        };
        let db = Db::open(&url, System::shared()).await.unwrap();
        let place = dir.path().join("store");
        let bucket = bucket.or_else(|| usual(&place));
        let kept = KeptIn { bucket, others };
        let store = Store::open_in(&place, db, kept.clone()).await.unwrap();
        let user = add_user(store.db()).await;
        let project = add_project(store.db(), user, "vision").await;
        Self {
            store,
            project,
            user,
            dir,
            url,
            kept,
            _schema: schema,
        }
    }

    /// The same store, opened once more.
    pub(crate) async fn reopen(&self) -> Store {
        self.open_at("store").await.unwrap()
    }

    /// The same with other buckets to adopt from.
    pub(crate) async fn open_beside(&self, others: Buckets) -> Store {
        let db = Db::open(&self.url, System::shared()).await.unwrap();
        let bucket = self.kept.bucket.clone();
        let kept = KeptIn { bucket, others };
        Store::open_in(&self.dir.path().join("store"), db, kept)
            .await
            .unwrap()
    }

    /// The same database and bucket, and another folder of this host.
    pub(crate) async fn open_at(&self, folder: &str) -> crate::Result<Store> {
        let db = Db::open(&self.url, System::shared()).await.unwrap();
        Store::open_in(&self.dir.path().join(folder), db, self.kept.clone()).await
    }

    /// An empty folder beside the store.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}

/// Opens the database in `data` and the store in `folder`.
pub(crate) async fn open(data: &Path, folder: &Path) -> Store {
    let url = Db::sqlite_url(&data.join("cairn.db")).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    Store::open_in(folder, db, usual(folder)).await.unwrap()
}

/// Where the stores of all tests are kept: with `CAIRN_TEST_OBJECTS=s3` in a bucket of the strict server that `CAIRN_TEST_S3` names, under a prefix
/// of the folder's own.
fn usual(folder: &Path) -> Option<Bucket> {
    std::env::var("CAIRN_TEST_OBJECTS")
        .ok()
        .filter(|kind| kind == "s3")?;
    let servers = std::env::var("CAIRN_TEST_S3").unwrap();
    let name = crate::Hash::of(folder.as_os_str().as_encoded_bytes());
    let prefix = format!("test/{}/", &name.to_hex()[..16]);
    let server = servers.split_whitespace().next().unwrap();
    Some(Bucket::new(&access(server, &prefix)).unwrap())
}

async fn add_user(db: &Db) -> UserId {
    let new = NewUser {
        name: "ada".into(),
        ..NewUser::default()
    };
    let new = &new;
    db.write(|mut tx| async move { users::create(&mut tx, new).await })
        .await
        .unwrap()
        .id
}

pub(crate) async fn add_project(db: &Db, owner: UserId, name: &str) -> ProjectId {
    db.write(|mut tx| async move { projects::create(&mut tx, name, "", owner).await })
        .await
        .unwrap()
        .id
}

/// Makes the database at `url` as it was at a version of its tables, and puts something into it.
pub(crate) async fn migrated(url: &str, version: i64, text: String) {
    crate::db::migrate_to(url, version).await.unwrap();
    statement(url, text).await;
}

pub(crate) async fn statement(server: &str, text: String) {
    use sqlx::{AssertSqlSafe, Connection};
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(text))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Writes a file, making its folders.
pub(crate) fn write(folder: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A file system of its own that is soon full.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Mounts a file system of `bytes` in memory; none, with the reason printed, where this process may not.
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
pub(crate) fn small_disk(bytes: u64) -> Option<SmallDisk> {
    let dir = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size={bytes}"))
        .arg("tmpfs")
        .arg(dir.path())
        .output();
    if mount.as_ref().is_ok_and(|output| output.status.success()) {
        return Some(SmallDisk(dir));
    }
    println!("skipped: a small file system cannot be mounted here ({mount:?})");
    None
}
