use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::capture::testing::{Fixture, write as lay};
use crate::clock::System;
use crate::db::{Db, Tx, execute, sql};
use crate::error::Error;
use crate::gc::tests::{assert_sound, dataset, has, push};
use crate::objects::{KeptIn, Store};

mod beside;
mod content;
mod damage;
mod homes;
mod killed;
mod schema;
mod tied;
mod truth;
mod wrong;

/// A backup in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn unwatched() -> Watch {
    Box::new(|_| ())
}

/// A backup of a store, and what is said of it.
async fn backup(store: &Store) -> (Vec<u8>, Written) {
    let memory = Memory::default();
    let out = Box::new(memory.clone());
    let written = write(store, out, Options::default(), unwatched())
        .await
        .unwrap();
    (memory.bytes(), written)
}

/// Restores a backup into the folder `data`, and opens what came of it.
async fn restore_into(bytes: Vec<u8>, data: &Path) -> Result<(Restored, Store)> {
    let url = Db::sqlite_url(&data.join("cairn.db")).unwrap();
    restore_to(bytes, data, url).await
}

fn target(data: &Path, url: String) -> Target {
    Target {
        kept: KeptIn::default(),
        url,
        clock: System::shared(),
        store: data.join("store"),
        marker: data.join("restoring"),
    }
}

async fn restore_to(bytes: Vec<u8>, data: &Path, url: String) -> Result<(Restored, Store)> {
    let incoming = Incoming::open(Box::new(Cursor::new(bytes)))?;
    let begun = begin(target(data, url.clone()), incoming).await?;
    let restored = begun.fill().await?;
    assert!(!is_begun(&data.join("restoring")));
    let db = Db::open(&url, System::shared()).await?;
    Ok((restored, Store::open(&data.join("store"), db).await?))
}

fn refusal<T>(done: Result<T>) -> String {
    match done {
        Err(Error::Invalid(why) | Error::Conflict(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is not refused"),
    }
}

/// A store with a version of a dataset, and files small and large in it.
async fn filled() -> Fixture {
    let fixture = Fixture::new().await;
    fill(&fixture).await;
    fixture
}

async fn fill(fixture: &Fixture) {
    let folder = fixture.folder("work");
    lay(&folder, "a", "a");
    lay(&folder, "b/c", "c");
    lay(&folder, "empty", "");
    lay(&folder, "large", large());
    let digits = dataset(fixture, "digits").await;
    push(fixture, digits, &folder).await;
}

fn large() -> Vec<u8> {
    (0..3_000_000_u32).map(|at| (at / 7 % 251) as u8).collect()
}

/// All rows that a backup has, as sorted lines, but for those that a restore itself changes.
async fn records(store: &Store) -> Vec<String> {
    let mut snapshot = store.db().snapshot().await.unwrap();
    let mut lines = Vec::new();
    for table in super::tables::KEPT {
        let each = &mut |row: serde_json::Map<String, serde_json::Value>| {
            if table.name != "counters" && row.get("action").is_none_or(|it| it != "restore") {
                lines.push(format!("{} {}", table.name, serde_json::Value::from(row)));
            }
            Ok(())
        };
        snapshot.rows(table.name, table.only, each).await.unwrap();
    }
    lines.sort();
    lines
}

/// Changes something in the database.
async fn change(store: &Store, text: &'static str) {
    let work = |mut tx: Tx| async move { execute(&mut tx, sql(text)).await };
    store.db().write(work).await.unwrap();
}
