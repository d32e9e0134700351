//! What is there, and how what is not needed is condemned and swept: few at a time, so that nobody waits long.

use std::collections::{HashSet, VecDeque};

use super::cycle::{Judge, There};
use super::stuck;
use crate::Result;
use crate::db::{Db, Query, Record, Row, Tx, all, execute, select_in, sql};
use crate::objects::{
    Hash, Key, Objects as _, Space, Store, displace, let_go, number, revive as take_back, wait_for,
    without,
};

/// How many one transaction changes.
pub(super) const AT_ONCE: usize = 200;
/// Rows read at a time.
const PAGE: i64 = 10_000;

/// Something that may not be needed.
#[derive(Debug, Clone)]
pub(super) struct Doomed {
    pub(super) space: Space,
    pub(super) hash: Hash,
    pub(super) bytes: u64,
    /// When it was recorded.
    pub(super) created_ms: Option<i64>,
    /// The cycle that condemned it, and when.
    pub(super) condemned: Option<(i64, i64)>,
}

impl Doomed {
    fn new((space, hash): Key, bytes: u64) -> Self {
        Self {
            space,
            hash,
            bytes,
            created_ms: None,
            condemned: None,
        }
    }

    pub(super) fn key(&self) -> Key {
        (self.space, self.hash)
    }

    pub(super) fn is_unrecorded(&self) -> bool {
        self.space == Space::Objects && self.created_ms.is_none()
    }
}

/// A row about something in the store.
struct Known {
    hash: Hash,
    space: Space,
    bytes: i64,
    created_ms: Option<i64>,
    condemned: Option<(i64, i64)>,
}

impl Record for Known {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            hash: row.parsed("hash")?,
            space: match row.text("space")?.as_str() {
                "manifests" => Space::Manifests,
                _ => Space::Objects,
            },
            bytes: row.int("bytes")?,
            created_ms: row.maybe_int("created_ms")?,
            condemned: row.maybe_int("cycle")?.zip(row.maybe_int("condemned_ms")?),
        })
    }
}

const OBJECTS: &str = "SELECT hash, 'objects' AS space, size AS bytes, created_ms, NULL AS cycle, NULL AS condemned_ms FROM objects \
     WHERE hash > $1 ORDER BY hash LIMIT $2";
const CONDEMNED: &str = "SELECT hash, space, bytes, NULL AS created_ms, cycle, condemned_ms FROM condemned \
     WHERE hash > $1 ORDER BY hash LIMIT $2";

/// The rows of a table in the order of their hashes, read by pages. What is written meanwhile may be missed: whoever acts on a row looks at it again.
struct Rows {
    db: Db,
    text: &'static str,
    after: Option<String>,
    page: VecDeque<Known>,
}

impl Rows {
    fn new(db: &Db, text: &'static str) -> Self {
        Self {
            db: db.clone(),
            text,
            after: Some(String::new()),
            page: VecDeque::new(),
        }
    }

    /// The next row whose hash begins with `prefix`; those before are passed over. Blocks.
    fn next(&mut self, prefix: u8) -> Result<Option<Known>> {
        loop {
            match self.page.front().map(|row| row.hash.as_bytes()[0]) {
                Some(first) if first > prefix => return Ok(None),
                Some(first) => {
                    let row = self.page.pop_front();
                    if first == prefix {
                        return Ok(row);
                    }
                }
                None => {
                    let Some(after) = self.after.take() else {
                        return Ok(None);
                    };
                    let query = sql(self.text).bind(after).bind(PAGE);
                    self.page = wait_for(all(&self.db, query))?.into();
                    self.after = self.page.back().map(|row| row.hash.to_hex());
                }
            }
        }
    }
}

/// Everything that is there, or is said to be, in the order of first bytes.
pub(super) struct Stock {
    store: Store,
    rows: [Rows; 2],
}

impl Stock {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            rows: [OBJECTS, CONDEMNED].map(|text| Rows::new(store.db(), text)),
        }
    }

    /// What has hashes that begin with `prefix`, which must be larger than the one before. Blocks.
    pub(super) fn part(&mut self, prefix: u8) -> Result<There> {
        let mut there = There::new();
        for rows in &mut self.rows {
            while let Some(known) = rows.next(prefix)? {
                let key = (known.space, known.hash);
                let bytes = u64::try_from(known.bytes).unwrap_or_default();
                let one = there.entry(key).or_insert_with(|| Doomed::new(key, bytes));
                one.created_ms = one.created_ms.or(known.created_ms);
                one.condemned = one.condemned.or(known.condemned);
            }
        }
        for space in [Space::Objects, Space::Manifests] {
            let visit = &mut |hash, bytes| {
                let key = (space, hash);
                let one = there.entry(key).or_insert_with(|| Doomed::new(key, bytes));
                one.bytes = bytes;
                Ok(())
            };
            self.store.objects().list(space, prefix, visit)?;
        }
        Ok(there)
    }
}

/// Takes back that these were condemned: a cycle has found that something holds them. Blocks.
pub(super) fn revive(store: &Store, needed: &[Doomed]) -> Result<()> {
    for chunk in needed.chunks(AT_ONCE) {
        let keys: Vec<Key> = chunk.iter().map(Doomed::key).collect();
        let keys = &keys;
        wait_for(
            store
                .db()
                .write(|mut tx| async move { take_back(&mut tx, keys).await }),
        )?;
    }
    Ok(())
}

/// Records that nothing needs these. Blocks.
pub(super) fn condemn(store: &Store, cycle: i64, fresh: &[Doomed]) -> Result<()> {
    let text = "INSERT INTO condemned (hash, space, bytes, cycle, condemned_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    for chunk in fresh.chunks(AT_ONCE) {
        super::step("to condemn");
        wait_for(store.db().write(|mut tx| async move {
            for one in chunk {
                let query = sql(text).bind(one.hash.to_hex()).bind(name(one.space));
                let query = query.bind(number(one.bytes)).bind(cycle);
                let query = query.bind(tx.now_ms());
                execute(&mut tx, query).await?;
            }
            Ok(())
        }))?;
    }
    Ok(())
}

/// What was swept.
#[derive(Default)]
pub(super) struct Swept {
    pub(super) gone: HashSet<Key>,
    /// Whether another process works on the store, so that nothing was swept.
    pub(super) shared: bool,
}

/// Removes those that are still condemned and that nothing has come to need: row first, then file. Blocks.
pub(super) fn sweep(
    store: &Store,
    (prefix, judge): (u8, &Judge),
    ripe: &[Doomed],
) -> Result<Swept> {
    let mut swept = Swept::default();
    for chunk in ripe.chunks(AT_ONCE) {
        let few = |few: &[Doomed]| sweep_few(store, (prefix, *judge), few);
        for done in stuck::pass_over(chunk, |one| one.hash, &few)? {
            swept.shared |= done.shared;
            swept.gone.extend(done.gone);
        }
        if swept.shared {
            break;
        }
    }
    Ok(swept)
}

/// The transaction begins first, so that nobody waits for the gate while this waits for the database. Whoever has either never waits for a transaction.
fn sweep_few(store: &Store, (prefix, judge): (u8, Judge), chunk: &[Doomed]) -> Result<Swept> {
    super::step("to sweep");
    let (files, claims) = (store.files(), store.files().claims());
    let work = |mut tx: Tx| async move {
        // Nobody looks for these until their files are gone.
        let (gate, shared) = files.shut_out()?;
        if shared {
            return Ok(None);
        }
        let alone = claims.alone(prefix);
        let unclaimed = chunk.iter().filter(|one| !claims.claimed(&one.key()));
        let unclaimed: Vec<&Doomed> = unclaimed.collect();
        let mut gone = forget(&mut tx, &unclaimed, judge).await?;
        if without("rows") {
            gone.extend(unclaimed.iter().map(|one| one.hash));
        }
        Ok(Some((gone, gate, alone)))
    };
    let mut swept = Swept::default();
    let Some((gone, _gate, _alone)) = wait_for(store.db().write(work))? else {
        swept.shared = true;
        return Ok(swept);
    };
    super::step("rows swept");
    for one in chunk.iter().filter(|one| gone.contains(&one.hash)) {
        // Its place in a bucket went with the row; another may have come since.
        store.files().remove(one.space, &one.hash)?;
        super::step("one swept");
        swept.gone.insert(one.key());
    }
    Ok(swept)
}

struct Gone(Hash);

impl Record for Gone {
    fn read(row: &Row) -> Result<Self> {
        row.parsed("hash").map(Self)
    }
}

/// Removes the rows of those that are still condemned.
async fn forget(tx: &mut Tx, chunk: &[&Doomed], judge: Judge) -> Result<HashSet<Hash>> {
    if chunk.is_empty() {
        return Ok(HashSet::new());
    }
    // Always as many values, the last one repeated, so that the numbers of the others are fixed.
    let filled = || (0..AT_ONCE).map(|at| chunk[at.min(chunk.len() - 1)].hash.to_hex());
    let query = select_in(
        "DELETE FROM condemned WHERE hash IN",
        AT_ONCE,
        "AND cycle <= $201 AND condemned_ms <= $202 RETURNING hash",
    );
    let query = filled().fold(query, Query::bind);
    let query = query.bind(judge.oldest).bind(judge.before_ms);
    let gone: Vec<Gone> = all(&mut *tx, query).await?;
    let gone: HashSet<Hash> = gone.into_iter().map(|Gone(hash)| hash).collect();
    let swept = chunk.iter().filter(|one| gone.contains(&one.hash));
    let swept: Vec<Key> = swept.map(|one| one.key()).collect();
    displace(tx, &swept).await?;
    let objects = chunk.iter().filter(|one| one.space == Space::Objects);
    for one in objects.filter(|one| gone.contains(&one.hash)) {
        let_go(tx, &one.hash).await?;
        let hash = one.hash.to_hex();
        let text = "DELETE FROM project_objects WHERE hash = $1";
        execute(tx, sql(text).bind(hash.clone())).await?;
        execute(tx, sql("DELETE FROM objects WHERE hash = $1").bind(hash)).await?;
    }
    Ok(gone)
}

pub(super) fn name(space: Space) -> &'static str {
    match space {
        Space::Objects => "objects",
        Space::Manifests => "manifests",
    }
}
