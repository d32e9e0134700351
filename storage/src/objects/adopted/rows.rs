//! The rows that say where adopted objects lie.

use crate::bucket::Pin;
use crate::db::{Db, Many, Query, Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::objects::{Hash, number};
use crate::{Error, Result};

/// How many one statement asks for: always as many, the last one repeated, so that the numbers of the others are fixed.
const ASKED: usize = 64;

static PLACED: Many = Many::new(
    "INSERT INTO adopted (hash, bucket, key, etag, version, bytes)",
    6,
    "ON CONFLICT (hash) DO UPDATE SET bucket = excluded.bucket, key = excluded.key, etag = excluded.etag, version = excluded.version, \
     bytes = excluded.bytes WHERE adopted.bucket = excluded.bucket",
);

/// Where the content of an object lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) hash: Hash,
    /// The bucket's name in the configuration.
    pub(crate) bucket: String,
    /// The whole key.
    pub(crate) key: String,
    /// The state of it.
    pub(crate) pin: Pin,
    pub(crate) bytes: u64,
}

impl Record for Place {
    fn read(row: &Row) -> Result<Self> {
        let bytes = u64::try_from(row.int("bytes")?);
        Ok(Self {
            hash: row.parsed("hash")?,
            bucket: row.text("bucket")?,
            key: row.text("key")?,
            pin: Pin {
                etag: row.text("etag")?,
                version: row.maybe_text("version")?,
            },
            bytes: bytes.map_err(|error| Error::internal("an adopted place is spoilt", error))?,
        })
    }
}

/// Whether anything was adopted.
pub(super) async fn any(db: &Db) -> Result<bool> {
    let found: Option<String> = optional(db, sql("SELECT hash FROM adopted LIMIT 1")).await?;
    Ok(found.is_some())
}

/// Where one object lies.
pub(super) async fn find(db: &Db, hash: &Hash) -> Result<Option<Place>> {
    let text = "SELECT hash, bucket, key, etag, version, bytes FROM adopted WHERE hash = $1";
    optional(db, sql(text).bind(hash.to_hex())).await
}

/// Where these lie; those that were not adopted are left out.
pub(super) async fn find_all(db: &Db, hashes: &[Hash]) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for chunk in hashes.chunks(ASKED) {
        let text = "SELECT hash, bucket, key, etag, version, bytes FROM adopted WHERE hash IN";
        found.extend(all::<Place>(db, asked(text, chunk, Hash::to_hex, "")).await?);
    }
    Ok(found)
}

/// What is known of keys of a bucket.
pub(crate) async fn known(db: &Db, bucket: &str, keys: &[String]) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(ASKED) {
        let text = "SELECT hash, bucket, key, etag, version, bytes FROM adopted WHERE key IN";
        let query = asked(text, chunk, Clone::clone, "AND bucket = $65");
        found.extend(all::<Place>(db, query.bind(bucket.to_owned())).await?);
    }
    Ok(found)
}

/// Says where objects lie. `places` must be sorted by hash; of two with one hash the first counts.
pub(crate) async fn insert(tx: &mut Tx, places: &[Place]) -> Result<()> {
    let mut places: Vec<&Place> = places.iter().collect();
    places.dedup_by_key(|place| place.hash);
    let bind = |query: Query, place: &&Place| {
        let query = query.bind(place.hash.to_hex()).bind(place.bucket.clone());
        let query = query.bind(place.key.clone()).bind(place.pin.etag.clone());
        query
            .bind(place.pin.version.clone())
            .bind(number(place.bytes))
    };
    PLACED.write(tx, &places, bind).await
}

/// Forgets where an object lies.
pub(crate) async fn let_go(tx: &mut Tx, hash: &Hash) -> Result<()> {
    let text = "DELETE FROM adopted WHERE hash = $1";
    execute(tx, sql(text).bind(hash.to_hex())).await?;
    Ok(())
}

/// Forgets what adoptions that failed have left. Those under way write down anew what they rely on.
pub(crate) async fn tidy(tx: &mut Tx) -> Result<()> {
    let text = "DELETE FROM adopted WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.hash = adopted.hash) \
                AND NOT EXISTS (SELECT 1 FROM adoptions a WHERE a.state = 'running')";
    execute(tx, sql(text)).await?;
    Ok(())
}

/// How many of these, at most 64, were adopted and have no place in the store's own bucket.
pub(crate) async fn count_unplaced(from: impl Read<'_>, hashes: &[Hash]) -> Result<usize> {
    let text = "SELECT COUNT(*) FROM adopted WHERE NOT EXISTS \
                (SELECT 1 FROM bucket_places p WHERE p.hash = adopted.hash AND p.space = 'objects') AND hash IN";
    let count: i64 = crate::db::required(from, asked(text, hashes, Hash::to_hex, "")).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn asked<T>(
    text: &'static str,
    chunk: &[T],
    bind: impl Fn(&T) -> String,
    after: &'static str,
) -> Query {
    let filled = (0..ASKED).map(|at| bind(&chunk[at.min(chunk.len() - 1)]));
    filled.fold(select_in(text, ASKED, after), Query::bind)
}
