//! Opens the pools of each kind of database, and tells apart how they fail.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::error::ErrorKind;
use sqlx::{AnyPool, ConnectOptions, Executor};

use super::Backend;
use crate::error::{Error, Result};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const SQLITE_READERS: u32 = 4;
const POSTGRES_READERS: u32 = 12;
const POSTGRES_WRITERS: u32 = 12;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// `FULL` makes each commit durable; the writer waits for a second process (a command on the host) instead of failing.
const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000";
/// Compare-and-set statements and unique indexes carry the invariants, so read committed is enough, and the counter of events
/// makes writers queue instead of failing.
const POSTGRES_SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET lock_timeout = '15s'; \
     SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'";

/// What `Url` or SQLite's own parser would read as something else than a part of a path.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'\\');

pub(super) struct Pools {
    pub(super) backend: Backend,
    pub(super) readers: AnyPool,
    pub(super) writer: AnyPool,
}

/// The version of the tables that this program works with.
pub(crate) fn newest_version() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or_default()
}

/// Opens a database and brings its tables to a version, or further where they are there already.
pub(super) async fn pools(url: &str, version: i64) -> Result<Pools> {
    let pools = connect(url, "rwc").await?;
    let done = MIGRATIONS.run_to(version, &pools.writer).await;
    done.map_err(|error| {
        Error::internal("cannot bring the tables of the database up to date", error)
    })?;
    Ok(pools)
}

/// Opens a database that is there, and whose tables are of this program.
pub(super) async fn existing(url: &str) -> Result<Pools> {
    let pools = connect(url, "rw").await.map_err(|error| {
        if is_missing(&error) {
            Error::not_found("there is no such database")
        } else {
            error
        }
    })?;
    let text = "SELECT MAX(version) FROM _sqlx_migrations";
    let version: Option<i64> = sqlx::query_scalar(text)
        .fetch_one(&pools.readers)
        .await
        .map_err(|error| Error::internal("the database has no tables of a server", error))?;
    let (version, newest) = (version.unwrap_or_default(), newest_version());
    if version == newest {
        return Ok(pools);
    }
    pools.writer.close().await;
    pools.readers.close().await;
    let age = if version < newest { "older" } else { "newer" };
    Err(Error::conflict(format!(
        "the tables of the database are {age} than this program: use the `cairn` that the server runs"
    )))
}

/// Opens a database to look at: nothing is made or changed. None where its file is missing.
pub(super) async fn look(url: &str) -> Result<Option<Pools>> {
    sqlx::any::install_default_drivers();
    if !url.starts_with("sqlite:") {
        return connect(url, "").await.map(Some);
    }
    let readers = match sqlite_readers(sqlite_options(url, "rw")?).await {
        Err(error) if is_missing(&error) => return Ok(None),
        opened => opened?,
    };
    Ok(Some(Pools {
        backend: Backend::Sqlite,
        writer: readers.clone(),
        readers,
    }))
}

fn is_missing(error: &Error) -> bool {
    database_code(error).is_some_and(|code| code == "14")
}

async fn connect(url: &str, mode: &str) -> Result<Pools> {
    sqlx::any::install_default_drivers();
    if url.starts_with("sqlite:") {
        sqlite(url, mode).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres(url).await
    } else {
        Err(Error::invalid(
            "the database URL must begin with sqlite: or postgres://",
        ))
    }
}

/// Brings the tables to an older version only.
#[cfg(test)]
pub(crate) async fn migrate_to(url: &str, version: i64) -> Result<()> {
    sqlx::any::install_default_drivers();
    let pools = sqlite(url, "rwc").await?;
    let done = MIGRATIONS.run_to(version, &pools.writer).await;
    done.map_err(|error| Error::internal("cannot bring the tables there", error))?;
    pools.writer.close().await;
    pools.readers.close().await;
    Ok(())
}

async fn sqlite(url: &str, mode: &str) -> Result<Pools> {
    let options = sqlite_options(url, mode)?;
    let writer = sqlite_pool()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SQLITE_WRITER).await.map(|_| ()) })
        })
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    Ok(Pools {
        backend: Backend::Sqlite,
        readers: sqlite_readers(options).await?,
        writer,
    })
}

fn sqlite_options(url: &str, mode: &str) -> Result<AnyConnectOptions> {
    let and = if url.contains('?') { '&' } else { '?' };
    options(&format!("{url}{and}mode={mode}"))
}

fn sqlite_pool() -> AnyPoolOptions {
    AnyPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .max_lifetime(None)
}

async fn sqlite_readers(options: AnyConnectOptions) -> Result<AnyPool> {
    sqlite_pool()
        .max_connections(SQLITE_READERS)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SQLITE_READER).await.map(|_| ()) })
        })
        .connect_with(options)
        .await
        .map_err(failed)
}

async fn postgres(url: &str) -> Result<Pools> {
    let options = options(url)?;
    let pool = |size| {
        AnyPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(POSTGRES_SESSION).await.map(|_| ()) })
            })
    };
    let writer = pool(POSTGRES_WRITERS)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    let readers = pool(POSTGRES_READERS)
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Pools {
        backend: Backend::Postgres,
        readers,
        writer,
    })
}

fn options(url: &str) -> Result<AnyConnectOptions> {
    let options = AnyConnectOptions::from_str(url).map_err(|_| {
        Error::invalid(
            "the database URL cannot be read; it may hold a password, so it is not shown",
        )
    })?;
    Ok(options.disable_statement_logging())
}

pub(super) fn sqlite_url(path: &Path) -> Result<String> {
    let path = path
        .to_str()
        .ok_or_else(|| Error::invalid("the path of the database is not UTF-8"))?;
    let slashes = if path.starts_with('/') { "//" } else { "" };
    Ok(format!(
        "sqlite:{slashes}{}",
        utf8_percent_encode(path, PATH)
    ))
}

/// Whether the database gave the transaction up in favour of another, so that the same work may succeed.
pub(super) fn gave_way(error: &Error) -> bool {
    database_code(error).is_some_and(|code| matches!(&*code, "40001" | "40P01" | "517"))
}

/// The database's own code for what may pass.
fn database_code(error: &Error) -> Option<String> {
    let Error::Unavailable {
        source: Some(source),
        ..
    } = error
    else {
        return None;
    };
    source.downcast_ref::<sqlx::Error>().and_then(code)
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

pub(super) fn failed(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(refusal) => match refusal.kind() {
            ErrorKind::UniqueViolation => Error::conflict("this exists already"),
            ErrorKind::ForeignKeyViolation => {
                Error::not_found("this refers to something that does not exist")
            }
            ErrorKind::CheckViolation | ErrorKind::NotNullViolation => {
                Error::invalid("a value is outside of what is allowed")
            }
            _ if code(&error).is_some_and(|code| passes(&code)) => {
                Error::unavailable("the database cannot answer now", error)
            }
            _ => Error::internal("the database refused a statement", error),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::unavailable("the database cannot be reached", error),
        _ => Error::internal("the database answered with something unexpected", error),
    }
}

/// Codes of conditions that pass: SQLite busy, locked, out of memory, I/O error, full disk, cannot open; PostgreSQL connection exceptions,
/// insufficient resources, operator intervention, system errors, lock not available, and transactions given up.
fn passes(code: &str) -> bool {
    if let Ok(number) = code.parse::<i64>()
        && code.len() < 5
    {
        return matches!(number & 0xff, 5 | 6 | 7 | 10 | 13 | 14);
    }
    matches!(code, "40001" | "40P01" | "55P03")
        || ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
}
