//! The entries of an upload, and which of their objects the project does not hold yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Spool, Upload, open, touch};
use crate::db::{Many, Query, Record, Row, Tx, all, required, select_in, sql};
use crate::ids::{ProjectId, UploadId};
use crate::manifest::{Entry, Node, check_path, check_target};
use crate::objects::{Hash, Key, Space, Store, blocking, number, revive};
use crate::{Error, Result};

/// The most entries that one call declares.
pub const MAX_DECLARED: usize = 10_000;
/// The most entries of one upload.
pub(super) const MAX_ENTRIES: i64 = 1_000_000;
/// Hashes that one question asks for.
pub(super) const ASKED: usize = 200;

/// One entry: a file with `hash` and `size`, a symbolic link with `target`, or a path of the base that is taken away.
///
/// JSON: `{"path": "a/b.py", "hash": "…", "size": 12, "executable": false}`, `{"path": "l", "target": "a"}` or `{"path": "old", "removed": true}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The path.
    pub path: String,
    /// The BLAKE3 of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// The size of the content in bytes.
    #[serde(default)]
    pub size: u64,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
    /// The text of a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the base has it and the whole has not. The base need not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Declared {
    /// A file that may not be executed.
    pub fn file(path: impl Into<String>, hash: Hash, size: u64) -> Self {
        Self {
            hash: Some(hash),
            size,
            removed: false,
            ..Self::removed(path)
        }
    }

    /// A symbolic link.
    pub fn link(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            target: Some(target.into()),
            removed: false,
            ..Self::removed(path)
        }
    }

    /// A path of the base that is taken away.
    pub fn removed(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            hash: None,
            size: 0,
            executable: false,
            target: None,
            removed: true,
        }
    }

    /// What lies at the path; nothing where it is taken away.
    pub(super) fn entry(self) -> Option<Entry> {
        let node = match (self.hash, self.target) {
            (Some(hash), _) => Node::File {
                hash,
                size: self.size,
                executable: self.executable,
            },
            (None, Some(target)) => Node::Symlink { target },
            (None, None) => return None,
        };
        Some(Entry {
            path: self.path,
            node,
        })
    }

    fn check(&self, upload: &Upload) -> Result<()> {
        check_path(&self.path)?;
        if i64::try_from(self.size).is_err() {
            return Err(Error::invalid(format!(
                "the size of {:?} is not true",
                self.path
            )));
        }
        match (&self.hash, &self.target, self.removed) {
            (None, Some(_), false) if upload.kind == Kind::Outputs => Err(Error::invalid(format!(
                "{:?} is a symbolic link, which outputs do not hold",
                self.path
            ))),
            (None, Some(target), false) => check_target(target),
            (None, None, true) if upload.base_digest.is_none() => Err(Error::invalid(format!(
                "{:?} cannot be taken away: the upload has no base",
                self.path
            ))),
            (Some(_), None, false) | (None, None, true) => Ok(()),
            _ => Err(Error::invalid(format!(
                "{:?} needs one of a hash, a target, and to be removed",
                self.path
            ))),
        }
    }
}

impl Record for Declared {
    fn read(row: &Row) -> Result<Self> {
        let hash = row.maybe_parsed("hash")?;
        let target = row.maybe_text("target")?;
        Ok(Self {
            path: row.text("path")?,
            size: u64::try_from(row.int("size")?).unwrap_or_default(),
            executable: row.flag("executable")?,
            removed: hash.is_none() && target.is_none(),
            hash,
            target,
        })
    }
}

/// Declares entries, at most 10,000 a call; a path that was declared before gets the new entry. Returns the hashes among them that must be sent.
///
/// # Errors
/// `Invalid` for a path that no manifest can hold and for one to remove where there is no base, `NotFound` and `Conflict` when the upload is not open.
pub async fn declare(store: &Store, id: UploadId, entries: &[Declared]) -> Result<Vec<Hash>> {
    let upload = open(store, id).await?;
    if entries.len() > MAX_DECLARED {
        return Err(Error::invalid("more than 10000 entries in one call"));
    }
    entries.iter().try_for_each(|entry| entry.check(&upload))?;
    touch(store, &upload).await?;
    store
        .db()
        .write(|mut tx| async move { insert(&mut tx, id, entries).await })
        .await?;
    let hashes = entries
        .iter()
        .filter_map(|entry| Some((entry.hash?, entry.size)))
        .collect();
    lacking(store, &upload, hashes).await
}

/// The hashes of all declared entries that must still be sent.
pub async fn missing(store: &Store, id: UploadId) -> Result<Vec<Hash>> {
    let upload = open(store, id).await?;
    let hashes = declared(store, id)
        .await?
        .iter()
        .filter_map(|entry| Some((entry.hash?, entry.size)))
        .collect();
    lacking(store, &upload, hashes).await
}

static INSERT: Many = Many::new(
    "INSERT INTO upload_entries (upload_id, path_hash, path, hash, size, executable, target)",
    7,
    "ON CONFLICT (upload_id, path_hash) DO UPDATE SET \
     hash = excluded.hash, size = excluded.size, executable = excluded.executable, target = excluded.target",
);

async fn insert(tx: &mut Tx, id: UploadId, entries: &[Declared]) -> Result<()> {
    // Of a path that comes twice the last entry counts. In the order of the index, which is faster.
    let rows: BTreeMap<Hash, &Declared> = entries
        .iter()
        .map(|entry| (Hash::of(entry.path.as_bytes()), entry))
        .collect();
    let rows: Vec<(Hash, &Declared)> = rows.into_iter().collect();
    let bind = |query: Query, (path_hash, entry): &(Hash, &Declared)| {
        query
            .bind(id)
            .bind(path_hash.to_hex())
            .bind(entry.path.clone())
            .bind(entry.hash.map(|hash| hash.to_hex()))
            .bind(number(entry.size))
            .bind(i64::from(entry.executable))
            .bind(entry.target.clone())
    };
    INSERT.write(tx, &rows, bind).await?;
    count(tx, id, entries.len()).await?;
    // From now on the upload holds what the project has of it: it need not be sent.
    let mut keys: Vec<Key> = entries
        .iter()
        .filter_map(|entry| Some((Space::Objects, entry.hash?)))
        .collect();
    keys.sort_unstable();
    revive(tx, &keys).await
}

/// Counts entries that were declared just now. Only where they may be too many are those looked at that are there: once for a million.
async fn count(tx: &mut Tx, id: UploadId, more: usize) -> Result<()> {
    let more = number(more as u64);
    let add = "UPDATE uploads SET entries = entries + $2 WHERE id = $1 RETURNING entries";
    let most: i64 = required(&mut *tx, sql(add).bind(id).bind(more)).await?;
    if most <= MAX_ENTRIES {
        return Ok(());
    }
    let exact = "UPDATE uploads SET entries = (SELECT COUNT(*) FROM upload_entries WHERE upload_id = $1) WHERE id = $1 RETURNING entries";
    let there: i64 = required(&mut *tx, sql(exact).bind(id)).await?;
    if there > MAX_ENTRIES {
        return Err(too_many());
    }
    Ok(())
}

pub(super) fn too_many() -> Error {
    Error::invalid("the upload has more than a million entries")
}

/// All entries, in no order.
pub(super) async fn declared(store: &Store, id: UploadId) -> Result<Vec<Declared>> {
    let text =
        "SELECT path, hash, size, executable, target FROM upload_entries WHERE upload_id = $1";
    all(store.db(), sql(text).bind(id)).await
}

/// The sizes that were declared for a hash; none when it was not declared.
pub(super) async fn sizes(store: &Store, id: UploadId, hash: &Hash) -> Result<Vec<u64>> {
    let text = "SELECT DISTINCT size FROM upload_entries WHERE upload_id = $1 AND hash = $2";
    let sizes: Vec<i64> = all(store.db(), sql(text).bind(id).bind(hash.to_hex())).await?;
    Ok(sizes
        .into_iter()
        .filter_map(|size| u64::try_from(size).ok())
        .collect())
}

/// The sizes that were declared for several hashes, at most [`ASKED`].
pub(super) async fn declared_sizes(
    store: &Store,
    id: UploadId,
    hashes: &[Hash],
) -> Result<Vec<(Hash, u64)>> {
    let before = "SELECT DISTINCT hash, size FROM upload_entries WHERE hash IN";
    let query = one_of(before, hashes, "AND upload_id = $201").bind(id);
    let rows: Vec<Held> = all(store.db(), query).await?;
    Ok(rows
        .into_iter()
        .map(|Held(hash, size)| (hash, size))
        .collect())
}

/// A statement with `ASKED` hashes: always as many values, the last one repeated, so that the number of the next value is fixed.
fn one_of(before: &'static str, hashes: &[Hash], after: &'static str) -> Query {
    let filled = (0..ASKED).map(|at| hashes[at.min(hashes.len() - 1)].to_hex());
    filled.fold(select_in(before, ASKED, after), Query::bind)
}

/// A hash, with the size of its content.
struct Held(Hash, u64);

impl Record for Held {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(
            row.parsed("hash")?,
            u64::try_from(row.int("size")?).unwrap_or_default(),
        ))
    }
}

/// Those of `hashes` whose content the project holds, with their true sizes.
pub(crate) async fn held(
    store: &Store,
    project: ProjectId,
    hashes: &[Hash],
) -> Result<Vec<(Hash, u64)>> {
    let before = "SELECT objects.hash AS hash, objects.size AS size FROM objects \
                  JOIN project_objects ON project_objects.hash = objects.hash WHERE objects.hash IN";
    let mut found = Vec::new();
    for chunk in hashes.chunks(ASKED) {
        let after = "AND project_objects.project_id = $201";
        let query = one_of(before, chunk, after).bind(project);
        found.extend(
            all::<Held>(store.db(), query)
                .await?
                .into_iter()
                .map(|Held(hash, size)| (hash, size)),
        );
    }
    Ok(found)
}

async fn lacking(
    store: &Store,
    upload: &Upload,
    mut wanted: Vec<(Hash, u64)>,
) -> Result<Vec<Hash>> {
    wanted.sort_unstable();
    wanted.dedup_by_key(|(hash, _)| *hash);
    let hashes: Vec<Hash> = wanted.iter().map(|(hash, _)| *hash).collect();
    let mut held: Vec<Hash> = held(store, upload.project_id, &hashes)
        .await?
        .into_iter()
        .map(|(hash, _)| hash)
        .collect();
    held.sort_unstable();
    let spool = Spool::of(store, upload.id);
    blocking(move || {
        let lacks = |hash: &Hash| held.binary_search(hash).is_err() && spool.done(hash).is_none();
        Ok(hashes.into_iter().filter(lacks).collect())
    })
    .await
}
