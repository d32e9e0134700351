//! The recorded manifests: which are held, and how those that are not are condemned and forgotten. Every change compares `touched`, which
//! counts what has come to hold a manifest: who judged by an older count changes nothing.

use super::cycle::Judge;
use super::holders::ROOTS;
use crate::Result;
use crate::db::{Db, Record, Row, Tx, all, execute, sql};
use crate::objects::{Hash, wait_for, without};

/// Rows read at a time.
const PAGE: i64 = 1000;
/// Rows that one transaction changes.
pub(super) const AT_ONCE: usize = 200;

/// A recorded manifest.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) digest: Hash,
    pub(super) files: i64,
    pub(super) bytes: i64,
    touched: i64,
    /// The cycle that condemned it, and when.
    pub(super) condemned: Option<(i64, i64)>,
    pub(super) held: bool,
}

impl Record for Root {
    fn read(row: &Row) -> Result<Self> {
        let condemned = row.maybe_int("condemned_in")?;
        Ok(Self {
            digest: row.parsed("digest")?,
            files: row.int("files")?,
            bytes: row.int("bytes")?,
            touched: row.int("touched")?,
            condemned: condemned.zip(row.maybe_int("condemned_ms")?),
            held: row.flag("held")?,
        })
    }
}

/// All recorded manifests, by pages. Blocks.
pub(super) struct Roots<'a> {
    db: &'a Db,
    after: Option<String>,
}

impl<'a> Roots<'a> {
    pub(super) fn new(db: &'a Db) -> Self {
        let after = Some(String::new());
        Self { db, after }
    }
}

impl Iterator for Roots<'_> {
    type Item = Result<Vec<Root>>;

    fn next(&mut self) -> Option<Self::Item> {
        let after = self.after.take()?;
        let query = sql(ROOTS.as_str())
            .bind(self.db.now_ms())
            .bind(after)
            .bind(PAGE);
        let page: Result<Vec<Root>> = wait_for(all(self.db, query));
        if let Ok(page) = &page {
            self.after = page.last().map(|root| root.digest.to_hex());
        }
        Some(page)
    }
}

/// Forgets a condemned manifest that nothing has come to hold since. Returns whether it did.
pub(super) async fn forget(tx: &mut Tx, root: &Root) -> Result<bool> {
    let text = if without("touches") {
        "DELETE FROM manifest_roots WHERE digest = $1 AND $2 >= 0"
    } else {
        "DELETE FROM manifest_roots WHERE digest = $1 AND touched = $2 AND condemned_in IS NOT NULL"
    };
    let query = sql(text).bind(root.digest.to_hex()).bind(root.touched);
    Ok(execute(tx, query).await? > 0)
}

/// Condemns a manifest that nothing holds, unless something has come to meanwhile. Returns whether it did.
pub(super) async fn condemn(tx: &mut Tx, root: &Root, cycle: i64) -> Result<bool> {
    let text = "UPDATE manifest_roots SET condemned_in = $3, condemned_ms = $4 WHERE digest = $1 AND touched = $2 AND condemned_in IS NULL";
    let query = sql(text).bind(root.digest.to_hex()).bind(root.touched);
    Ok(execute(tx, query.bind(cycle).bind(tx.now_ms())).await? > 0)
}

/// Those that may be forgotten now.
pub(super) fn ripe(root: &Root, judge: &Judge) -> bool {
    !root.held && root.condemned.is_some_and(|when| judge.is_ripe(when))
}
