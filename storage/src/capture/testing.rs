//! What tests of this crate's object side share: a store on a fresh database, folders, a small disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock::System;
use crate::db::{Db, Tx, execute, sql};
use crate::ids::{ProjectId, UserId};
use crate::objects::Store;

/// A store with a project and a user, in a folder that goes away with it.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) project: ProjectId,
    pub(crate) user: UserId,
    pub(crate) dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &dir.path().join("store")).await;
        let user = add_user(store.db()).await;
        let project = add_project(store.db(), "vision").await;
        Self {
            store,
            project,
            user,
            dir,
        }
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
    Store::open(folder, db).await.unwrap()
}

pub(crate) async fn add_user(db: &Db) -> UserId {
    let id = UserId::new(&**db.clock());
    let text = "INSERT INTO users (id, name, display_name, admin, disabled, created_ms) VALUES ($1, 'ada', 'Ada', 0, 0, 1)";
    db.write(|mut tx: Tx| async move { execute(&mut tx, sql(text).bind(id)).await })
        .await
        .unwrap();
    id
}

pub(crate) async fn add_project(db: &Db, name: &'static str) -> ProjectId {
    let id = ProjectId::new(&**db.clock());
    let text = "INSERT INTO projects (id, name, description, created_ms, next_number) VALUES ($1, $2, '', 1, 1)";
    db.write(|mut tx: Tx| async move { execute(&mut tx, sql(text).bind(id).bind(name)).await })
        .await
        .unwrap();
    id
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
