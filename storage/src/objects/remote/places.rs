//! The rows that say where things lie in the bucket: what is found, placed and displaced.

use std::collections::HashSet;

use super::super::adopted::count_unplaced;
use super::super::{Hash, Key, Space, number};
use crate::clock::Clock;
use crate::db::{Db, Many, Query, Read, Record, Row, Tx, all, execute, optional, select_in, sql};
use crate::{Error, Result};

/// How many one statement asks for: always as many, the last one repeated, so that it is prepared once.
const ASKED: usize = 64;
/// How long a key is kept that was found damaged.
const DAMAGED_MS: i64 = 30 * 24 * 3_600_000;
/// Rows read at a time.
const PAGE: i64 = 10_000;

static STAGED: Many = Many::new(
    "INSERT INTO bucket_keys (id, name, bytes, state, changed_ms)",
    5,
    "",
);
static PLACED: Many = Many::new(
    "INSERT INTO bucket_places (hash, space, key_id, start, bytes)",
    5,
    "ON CONFLICT DO NOTHING",
);

/// A name for a key of the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyName {
    /// Names the row, and nothing else ever.
    pub(super) id: String,
    /// The key in the bucket, with the id in it.
    pub(super) name: String,
}

impl KeyName {
    /// A key for one thing.
    pub(super) fn of((space, hash): Key, clock: &dyn Clock) -> Self {
        let folder = match space {
            Space::Objects => "o",
            Space::Manifests => "m",
        };
        let (id, hex) = (fresh(clock), hash.to_hex());
        let name = format!("v1/{folder}/{}/{}.{id}", &hex[..2], &hex[2..]);
        Self { id, name }
    }

    /// A key for many.
    pub(super) fn pack(clock: &dyn Clock) -> Self {
        let id = fresh(clock);
        let name = format!("v1/p/{id}");
        Self { id, name }
    }
}

fn fresh(clock: &dyn Clock) -> String {
    crate::ids::BucketKeyId::new(clock).to_string()
}

/// Where something lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: Key,
    pub(super) at: KeyName,
    pub(super) start: u64,
    pub(super) bytes: u64,
}

impl Record for Place {
    fn read(row: &Row) -> Result<Self> {
        let unsigned = |column| -> Result<u64> {
            let stored = row.int(column)?;
            u64::try_from(stored)
                .map_err(|error| Error::internal("a place in the bucket is spoilt", error))
        };
        Ok(Self {
            key: (space(&row.text("space")?), row.parsed("hash")?),
            at: KeyName {
                id: row.text("id")?,
                name: row.text("name")?,
            },
            start: unsigned("start")?,
            bytes: unsigned("bytes")?,
        })
    }
}

fn space(name: &str) -> Space {
    match name {
        "manifests" => Space::Manifests,
        _ => Space::Objects,
    }
}

fn name(space: Space) -> &'static str {
    match space {
        Space::Objects => "objects",
        Space::Manifests => "manifests",
    }
}

const FIND: &str = "SELECT p.hash, p.space, k.id, k.name, p.start, p.bytes FROM bucket_places p JOIN bucket_keys k ON k.id = p.key_id WHERE p.hash IN";

/// Where one thing lies.
pub(super) async fn find(db: &Db, key: Key) -> Result<Option<Place>> {
    Ok(find_all(db, &[key]).await?.into_iter().next())
}

/// Where these lie; those that lie nowhere are left out.
pub(super) async fn find_all(db: &Db, keys: &[Key]) -> Result<Vec<Place>> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(ASKED) {
        let places: Vec<Place> = all(db, asked(FIND, chunk, "")).await?;
        found.extend(
            places
                .into_iter()
                .filter(|place| chunk.contains(&place.key)),
        );
    }
    Ok(found)
}

/// Those of these that lie somewhere.
pub(super) async fn placed(db: &Db, keys: &[Key]) -> Result<HashSet<Key>> {
    let text = "SELECT hash, space FROM bucket_places WHERE hash IN";
    let mut found = HashSet::new();
    for chunk in keys.chunks(ASKED) {
        let named: Vec<Named> = all(db, asked(text, chunk, "")).await?;
        found.extend(named.into_iter().map(|Named(key)| key));
    }
    Ok(found)
}

struct Named(Key);

impl Record for Named {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self((space(&row.text("space")?), row.parsed("hash")?)))
    }
}

fn asked(text: &'static str, chunk: &[Key], after: &'static str) -> Query {
    let count = if chunk.len() == 1 { 1 } else { ASKED };
    let filled = (0..count).map(|at| chunk[at.min(chunk.len() - 1)].1.to_hex());
    filled.fold(select_in(text, count, after), Query::bind)
}

struct Listed(Hash, u64);

impl Record for Listed {
    fn read(row: &Row) -> Result<Self> {
        let bytes = u64::try_from(row.int("bytes")?).unwrap_or_default();
        Ok(Self(row.parsed("hash")?, bytes))
    }
}

/// The next things whose hashes begin with a byte, in their order.
pub(super) async fn page(
    db: &Db,
    space: Space,
    prefix: u8,
    after: &str,
) -> Result<Vec<(Hash, u64)>> {
    let text = "SELECT hash, bytes FROM bucket_places WHERE hash > $1 AND hash >= $2 AND hash < $3 AND space = $4 ORDER BY hash LIMIT $5";
    let query = sql(text)
        .bind(after.to_owned())
        .bind(format!("{prefix:02x}"));
    // `g` follows the last digit.
    let end = prefix
        .checked_add(1)
        .map_or_else(|| "g".to_owned(), |next| format!("{next:02x}"));
    let query = query.bind(end).bind(name(space)).bind(PAGE);
    let listed: Vec<Listed> = all(db, query).await?;
    Ok(listed
        .into_iter()
        .map(|Listed(hash, bytes)| (hash, bytes))
        .collect())
}

/// Says which keys are about to be written.
pub(super) async fn stage(tx: &mut Tx, keys: &[(KeyName, u64)]) -> Result<()> {
    let now_ms = tx.now_ms();
    let bind = |query: Query, (key, bytes): &(KeyName, u64)| {
        let query = query.bind(key.id.clone()).bind(key.name.clone());
        query.bind(number(*bytes)).bind("staged").bind(now_ms)
    };
    STAGED.write(tx, keys, bind).await
}

/// Takes note that a key was written, and of what is in it: each with its start and size. What has a place already keeps it.
///
/// # Errors
/// `Unavailable` where the key was given up meanwhile.
pub(super) async fn settle(tx: &mut Tx, key: &KeyName, parts: &[(Key, u64, u64)]) -> Result<()> {
    let text =
        "UPDATE bucket_keys SET state = 'live', changed_ms = $2 WHERE id = $1 AND state = 'staged'";
    let now_ms = tx.now_ms();
    if execute(tx, sql(text).bind(key.id.clone()).bind(now_ms)).await? == 0 {
        return Err(Error::unavailable(
            "cannot keep what was sent to the bucket",
            "it took longer than a day",
        ));
    }
    // Sorted: two transactions that place the same things then never wait for each other in a circle.
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let bind = |query: Query, ((space, hash), start, bytes): &(Key, u64, u64)| {
        let query = query
            .bind(hash.to_hex())
            .bind(name(*space))
            .bind(key.id.clone());
        query.bind(number(*start)).bind(number(*bytes))
    };
    PLACED.write(tx, &parts, bind).await?;
    doom(tx, std::slice::from_ref(&key.id)).await
}

/// Takes the places of these away, and dooms keys that have nothing in them any more.
pub(crate) async fn displace(tx: &mut Tx, keys: &[Key]) -> Result<()> {
    if !is_in_use(&mut *tx).await? {
        return Ok(());
    }
    let mut emptied: Vec<String> = Vec::new();
    for (space, hash) in keys {
        let text = "DELETE FROM bucket_places WHERE hash = $1 AND space = $2 RETURNING key_id";
        let query = sql(text).bind(hash.to_hex()).bind(name(*space));
        emptied.extend(optional::<String>(&mut *tx, query).await?);
    }
    emptied.sort_unstable();
    emptied.dedup();
    doom(tx, &emptied).await
}

/// Takes the place away that a check has found lost, unless it is another by now. The key stays for a month: it may be a bucket that is put right.
pub(super) async fn set_off(tx: &mut Tx, (space, hash): Key, at: &KeyName) -> Result<()> {
    let text = "DELETE FROM bucket_places WHERE hash = $1 AND space = $2 AND key_id = $3";
    let query = sql(text).bind(hash.to_hex()).bind(name(space));
    if execute(tx, query.bind(at.id.clone())).await? == 0 {
        return Ok(());
    }
    doom(tx, std::slice::from_ref(&at.id)).await?;
    let text = "UPDATE bucket_keys SET changed_ms = $2 WHERE id = $1 AND state = 'doomed'";
    let until = tx.now_ms() + DAMAGED_MS;
    execute(tx, sql(text).bind(at.id.clone()).bind(until)).await?;
    Ok(())
}

/// Dooms those of these keys that have nothing in them.
async fn doom(tx: &mut Tx, ids: &[String]) -> Result<()> {
    let text = "UPDATE bucket_keys SET state = 'doomed', changed_ms = $2 WHERE id = $1 AND state = 'live' \
                AND NOT EXISTS (SELECT 1 FROM bucket_places p WHERE p.key_id = $1)";
    let now_ms = tx.now_ms();
    for id in ids {
        execute(tx, sql(text).bind(id.clone()).bind(now_ms)).await?;
    }
    Ok(())
}

/// Whether the records are of a store in a bucket.
pub(crate) async fn is_in_use(from: impl Read<'_>) -> Result<bool> {
    let text = "SELECT id FROM bucket_keys LIMIT 1";
    Ok(optional::<String>(from, sql(text)).await?.is_some())
}

/// Makes sure, in the transaction that comes to refer to these objects, that all of them are placed, where the store is in a bucket.
///
/// # Errors
/// `Unavailable` where one is not: another host has collected it since it was put, or met.
pub(crate) async fn all_placed(tx: &mut Tx, objects: &[(Hash, u64)]) -> Result<()> {
    if !is_in_use(&mut *tx).await? {
        return Ok(());
    }
    for chunk in objects.chunks(ASKED) {
        let keys: Vec<Key> = chunk
            .iter()
            .map(|(hash, _)| (Space::Objects, *hash))
            .collect();
        let text =
            "SELECT COUNT(DISTINCT hash) FROM bucket_places WHERE space = 'objects' AND hash IN";
        let placed: i64 = crate::db::required(&mut *tx, asked(text, &keys, "")).await?;
        let mut wanted: Vec<&Hash> = chunk.iter().map(|(hash, _)| hash).collect();
        wanted.dedup();
        let mut placed = usize::try_from(placed).unwrap_or_default();
        if placed != wanted.len() {
            let hashes: Vec<Hash> = wanted.iter().map(|hash| **hash).collect();
            placed += count_unplaced(&mut *tx, &hashes).await?;
        }
        if placed != wanted.len() {
            return Err(collected());
        }
    }
    Ok(())
}

/// The same for nodes of manifests, sorted.
pub(crate) async fn nodes_placed(tx: &mut Tx, nodes: &[Key]) -> Result<()> {
    for chunk in nodes.chunks(ASKED) {
        let text =
            "SELECT COUNT(DISTINCT hash) FROM bucket_places WHERE space = 'manifests' AND hash IN";
        let placed: i64 = crate::db::required(&mut *tx, asked(text, chunk, "")).await?;
        if usize::try_from(placed) != Ok(chunk.len()) {
            return Err(collected());
        }
    }
    Ok(())
}

fn collected() -> Error {
    Error::unavailable(
        "cannot record what was put into the store",
        "some of it was collected meanwhile",
    )
}

/// A key that nothing needs.
pub(super) struct Unused {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) bytes: u64,
}

impl Record for Unused {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            bytes: u64::try_from(row.int("bytes")?).unwrap_or_default(),
        })
    }
}

/// Keys that have been in a state since before a time.
pub(super) async fn unused(
    db: &Db,
    state: &'static str,
    before_ms: i64,
    most: i64,
) -> Result<Vec<Unused>> {
    let text = "SELECT id, name, bytes FROM bucket_keys WHERE state = $1 AND changed_ms <= $2 ORDER BY changed_ms, id LIMIT $3";
    all(db, sql(text).bind(state).bind(before_ms).bind(most)).await
}

/// Moves a key on, if it is still in a state.
pub(super) async fn advance(
    tx: &mut Tx,
    id: &str,
    (from, to): (&'static str, &'static str),
) -> Result<bool> {
    let text = "UPDATE bucket_keys SET state = $3, changed_ms = $4 WHERE id = $1 AND state = $2";
    let query = sql(text).bind(id.to_owned()).bind(from).bind(to);
    let query = query.bind(tx.now_ms());
    Ok(execute(tx, query).await? == 1)
}

/// Forgets a key that was removed twice.
pub(super) async fn forget(tx: &mut Tx, id: &str) -> Result<()> {
    let text = "DELETE FROM bucket_keys WHERE id = $1 AND state = 'gone'";
    execute(tx, sql(text).bind(id.to_owned())).await?;
    Ok(())
}
