//! Which store and which database belong together. Each names the other: a collection that asked the wrong database would find that nothing is needed,
//! and take away everything.
//!
//! They are tied when a store is first opened with a database and neither is another's: both must be new, or what the database has on record must be
//! in the store. A restore ties what it has filled. Else an operator has to say so, with a file `adopt` in the store.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::Result;
use crate::db::{Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::Error;
use crate::objects::{Hash, Space, Store, blocking, io_error, random_name};

mod bucket;

pub(crate) use bucket::is_taken;

/// Names the database, in the store's folder.
const NAME: &str = "database";
/// Says that an operator wants them to belong together.
const ADOPT: &str = "adopt";
/// How many of the newest objects on record must be there.
const NEWEST: i64 = 100;

/// What the database says.
#[derive(Debug, PartialEq, Eq)]
struct Tie {
    database: String,
    /// None: it was opened first with a store that is not known to be its own.
    store: Option<String>,
}

impl Record for Tie {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            database: row.text("database_id")?,
            store: row.maybe_text("store_id")?,
        })
    }
}

struct Object(Hash);

impl Record for Object {
    fn read(row: &Row) -> Result<Self> {
        row.parsed("hash").map(Self)
    }
}

/// Ties a store that is being opened to its database, where that may be.
pub(crate) async fn tie(store: &Store) -> Result<()> {
    let wanted = store.within(ADOPT).exists();
    if wanted {
        tracing::warn!(
            "the store and the database belong together from now on, because an operator said so"
        );
    }
    match store.remote() {
        Some(remote) => {
            bucket::tie(store, remote, wanted).await?;
            return if wanted { done(store) } else { Ok(()) };
        }
        None if wanted => return tie_anew(store).await,
        None => {}
    }
    let id = store.files().id().to_owned();
    let of_store = match (recorded(store).await?, named(store)?) {
        (None, None) => is_its_own(store).await?.then_some(id),
        // Begun, and cut off.
        (
            Some(Tie {
                store: Some(own), ..
            }),
            None,
        ) if own == id => Some(id),
        _ => return Ok(()),
    };
    let tie = record(store, of_store, false).await?;
    if tie.store.as_deref() == Some(store.files().id()) {
        name(store, tie.database, false).await?;
    }
    Ok(())
}

/// Ties a store and its database, whosever they were: where all that is in the one is known to be of the other. Safe to repeat.
pub(crate) async fn tie_anew(store: &Store) -> Result<()> {
    if store.remote().is_some() {
        // A bucket was tied as it was opened, for nothing was in it.
        return Ok(());
    }
    let tie = record(store, Some(store.files().id().to_owned()), true).await?;
    name(store, tie.database, true).await?;
    done(store)
}

/// It has been done, whoever asked for it.
fn done(store: &Store) -> Result<()> {
    match fs::remove_file(store.within(ADOPT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let adopt = store.within(ADOPT);
            Err(io_error(
                format!("cannot remove {}", adopt.display()),
                error,
            ))
        }
        _ => Ok(()),
    }
}

/// Names the database in the store, in place of another one where that is to go.
async fn name(store: &Store, database: String, anew: bool) -> Result<()> {
    let files = store.files().clone();
    blocking(move || {
        // Another process may be about to do the same.
        let (_gate, _) = files.shut_out()?;
        if anew || read(&files.root().join(NAME))?.is_none() {
            let failed = |error| io_error("cannot name the database in the store", error);
            write(files.root(), &database).map_err(failed)?;
        }
        Ok(())
    })
    .await
}

/// Refuses a store and a database of which one names another. Changes nothing.
///
/// # Errors
/// `Conflict`, with what is wrong and what can be done.
pub(crate) async fn belongs(store: &Store) -> Result<()> {
    if let Some(remote) = store.remote() {
        return bucket::belongs(store, remote).await;
    }
    let (tie, named) = (recorded(store).await?, named(store)?);
    let own = tie.as_ref().and_then(|tie| tie.store.as_deref());
    let why = if own.is_some_and(|own| own != store.files().id()) {
        "the database is of another store"
    } else if named.is_some() && named != tie.map(|tie| tie.database) {
        "the store is of another database"
    } else {
        return Ok(());
    };
    Err(Error::conflict(format!(
        "{why}: give the same `database` and the same --data-dir as the server has"
    )))
}

/// Refuses to collect a store by a database that is not its own.
///
/// # Errors
/// `Conflict`, with what is wrong and what can be done.
pub(crate) async fn check(store: &Store) -> Result<()> {
    if let Some(remote) = store.remote() {
        return bucket::check(store, remote).await;
    }
    let id = store.files().id();
    let why = match (recorded(store).await?, named(store)?) {
        (Some(tie), Some(named)) if tie.database == named && tie.store.as_deref() == Some(id) => {
            return Ok(());
        }
        (
            Some(Tie {
                store: Some(own), ..
            }),
            _,
        ) if own != id => "the database is of another store",
        (_, None) => {
            "when they were first opened together, the store had files that the database knows nothing of, or lacked some that it knows"
        }
        _ => "the store is of another database",
    };
    Err(Error::conflict(format!(
        "nothing is collected: {why}. Correct `database` or --data-dir. Only if both are right: `touch {}` and start the server again",
        store.within(ADOPT).display()
    )))
}

async fn recorded(store: &Store) -> Result<Option<Tie>> {
    let text = "SELECT database_id, store_id FROM own_store";
    optional(store.db(), sql(text)).await
}

/// Records whose the database is, unless that is on record and not to be `anew`; returns what is then.
async fn record(store: &Store, of_store: Option<String>, anew: bool) -> Result<Tie> {
    let (of_store, fresh) = (&of_store, &random_name());
    let text = if anew {
        "INSERT INTO own_store (one, database_id, store_id) VALUES (1, $1, $2) ON CONFLICT (one) DO UPDATE SET store_id = excluded.store_id"
    } else {
        "INSERT INTO own_store (one, database_id, store_id) VALUES (1, $1, $2) ON CONFLICT DO NOTHING"
    };
    let work = |mut tx: Tx| async move {
        execute(
            &mut tx,
            sql(text).bind(fresh.clone()).bind(of_store.clone()),
        )
        .await?;
        required(&mut tx, sql("SELECT database_id, store_id FROM own_store")).await
    };
    store.db().write(work).await
}

/// Whether the newest of what is on record is there; with nothing on record, whether nothing is there.
async fn is_its_own(store: &Store) -> Result<bool> {
    let text = "SELECT hash FROM objects ORDER BY created_ms DESC LIMIT $1";
    let newest: Vec<Object> = all(store.db(), sql(text).bind(NEWEST)).await?;
    let objects = std::sync::Arc::clone(store.objects());
    let look = move || {
        for Object(hash) in &newest {
            if objects.size(Space::Objects, hash)?.is_none() {
                return Ok(false);
            }
        }
        if !newest.is_empty() {
            return Ok(true);
        }
        for prefix in 0..=u8::MAX {
            let mut there = 0;
            for space in [Space::Objects, Space::Manifests] {
                let count = &mut |_, _| {
                    there += 1;
                    Ok(())
                };
                objects.list(space, prefix, count)?;
            }
            if there > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    };
    blocking(look).await
}

fn named(store: &Store) -> Result<Option<String>> {
    read(&store.within(NAME))
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(format!("cannot read {}", path.display()), error)),
    }
}

fn write(folder: &Path, id: &str) -> io::Result<()> {
    let fresh = folder.join(format!("{NAME}.{}", random_name()));
    let mut file = File::create_new(&fresh)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(NAME))?;
    File::open(folder)?.sync_all()
}
