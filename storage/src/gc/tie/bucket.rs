//! The same for a store in a bucket: a small key in it, the *marker*, names the database, and both hold a *token* that every start makes anew.
//!
//! So a copy of a database and its data directory, of which both go on with one bucket, is found out: the one that was started last holds the token,
//! and the other *contests* it when it next collects. Then neither removes anything until an operator has said whose the bucket is. As nothing
//! goes in less than a day, the rightful one, which collects daily, is not too late.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Tie, recorded};
use crate::Result;
use crate::bucket::Bucket;
use crate::db::{Tx, execute, sql};
use crate::error::Error;
use crate::objects::{Remote, Store, is_in_use, random_name};

const NAME: &str = "v1/cairn.json";
/// More than a marker has.
const MOST_BYTES: u64 = 64 << 10;

/// What the bucket says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    database: String,
    token: String,
    /// The token before it, should the database not have come to know the new one.
    before: Option<String>,
    /// Two databases have taken the bucket for their own.
    #[serde(default)]
    contested: bool,
}

impl Marker {
    fn names(&self, tie: Option<&Tie>) -> bool {
        tie.is_some_and(|tie| tie.database == self.database)
    }

    fn is_held_by(&self, tie: Option<&Tie>) -> bool {
        let held = tie.and_then(|tie| tie.store.as_deref());
        held.is_some_and(|held| held == self.token || self.before.as_deref() == Some(held))
    }
}

/// Ties a bucket that is being opened to the database.
///
/// # Errors
/// `Conflict` where either is another's, with what can be done.
pub(super) async fn tie(store: &Store, remote: &Remote, wanted: bool) -> Result<()> {
    let (tie, marker) = (recorded(store).await?, read(remote).await?);
    let tie = tie.as_ref();
    match marker {
        _ if wanted => take(store, remote, None).await,
        None if is_in_use(store.db()).await? => {
            Err(foreign(remote, "it has nothing of what the database names"))
        }
        None => take(store, remote, None).await,
        Some(marker) if !marker.names(tie) => {
            Err(foreign(remote, "it is of another Cairn's database"))
        }
        Some(marker) if marker.is_held_by(tie) => take(store, remote, Some(marker)).await,
        Some(_) => {
            tracing::warn!(bucket = ?remote.bucket(), "another server has taken the bucket for its own: nothing in it is collected");
            Ok(())
        }
    }
}

/// Whether a bucket is some database's.
pub(crate) async fn is_taken(bucket: &Bucket) -> Result<bool> {
    Ok(bucket.head(NAME, None).await?.is_some())
}

/// Refuses a bucket that is of another database. Changes nothing.
///
/// # Errors
/// `Conflict`.
pub(super) async fn belongs(store: &Store, remote: &Remote) -> Result<()> {
    let (tie, marker) = (recorded(store).await?, read(remote).await?);
    match marker {
        Some(marker) if marker.names(tie.as_ref()) => Ok(()),
        Some(_) => Err(foreign(remote, "it is of another Cairn's database")),
        None => Err(foreign(remote, "it has nothing of what the database names")),
    }
}

/// Refuses to remove anything from a bucket that another server holds, too; and contests that.
///
/// # Errors
/// `Conflict`, with what can be done.
pub(crate) async fn check(store: &Store, remote: &Remote) -> Result<()> {
    let (tie, marker) = (recorded(store).await?, read(remote).await?);
    let why = match marker {
        None => "the marker of the bucket is gone",
        Some(marker) if !marker.names(tie.as_ref()) => "the bucket is of another Cairn's database",
        Some(marker) if marker.contested => "two servers have taken the bucket for their own",
        Some(marker) if marker.is_held_by(tie.as_ref()) => return Ok(()),
        // A server on the same database has just begun.
        Some(marker) if marker.is_held_by(recorded(store).await?.as_ref()) => return Ok(()),
        Some(mut marker) => {
            marker.contested = true;
            write(remote, &marker).await?;
            "another server has taken the bucket for its own, such as one that runs on a copy of this database"
        }
    };
    Err(Error::conflict(format!(
        "nothing is collected: {why}. Only one may go on with {:?}: stop the other, then `touch {}` and start this server again",
        remote.bucket(),
        store.within(super::ADOPT).display()
    )))
}

fn foreign(remote: &Remote, why: &str) -> Error {
    Error::conflict(format!(
        "{:?} cannot keep this store: {why}. Give the bucket and prefix that the server had, or, for a new server, a prefix of its own",
        remote.bucket()
    ))
}

/// Takes the bucket, within the transaction that records so: servers on one database that start together take it one after the other.
async fn take(store: &Store, remote: &Remote, before: Option<Marker>) -> Result<()> {
    let contested = before.as_ref().is_some_and(|marker| marker.contested);
    let before = &recorded(store).await?.and_then(|tie| tie.store);
    let (database, token) = (&random_name(), &random_name());
    let work = |mut tx: Tx| async move {
        let text = "INSERT INTO own_store (one, database_id, store_id) VALUES (1, $1, $2) ON CONFLICT (one) DO UPDATE SET store_id = excluded.store_id";
        let query = sql(text).bind(database.clone()).bind(token.clone());
        execute(&mut tx, query).await?;
        let text = "SELECT database_id FROM own_store";
        let marker = Marker {
            database: crate::db::required(&mut tx, sql(text)).await?,
            token: token.clone(),
            before: before.clone(),
            contested,
        };
        write(remote, &marker).await?;
        Ok(marker)
    };
    let mut marker = store.db().write(work).await?;
    // The database knows the new token from here on: who still has the one before is another.
    marker.before = None;
    write(remote, &marker).await
}

async fn read(remote: &Remote) -> Result<Option<Marker>> {
    let bucket = remote.bucket();
    let Some(head) = bucket.head(NAME, None).await? else {
        return Ok(None);
    };
    let range = 0..head.bytes.min(MOST_BYTES);
    let Some(mut body) = bucket.get(NAME, range, None).await? else {
        return Ok(None);
    };
    let mut text = Vec::new();
    while let Some(piece) = body.next().await? {
        text.extend_from_slice(&piece);
    }
    let spoilt = |error| Error::internal("the marker of the bucket cannot be read", error);
    serde_json::from_slice(&text).map(Some).map_err(spoilt)
}

async fn write(remote: &Remote, marker: &Marker) -> Result<()> {
    let failed = |error| Error::internal("the marker of the bucket cannot be written", error);
    let text = serde_json::to_vec(marker).map_err(failed)?;
    remote.bucket().put(NAME, Bytes::from(text)).await
}
