//! What checks have found of manifests, on record: nothing new may use what is not whole.

use std::collections::BTreeSet;

use super::{Mode, Report};
use crate::db::{Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::Result;
use crate::events::{Kind, Notice};
use crate::ids::{DatasetId, ProjectId};
use crate::names::named;
use crate::objects::Hash;

named! {
    /// What checks have found of a manifest's files.
    Integrity {
        /// Nothing amiss since they came in, each proven by its hash, or since a full check found them whole again.
        Ok = "ok",
        /// Some are missing or damaged.
        Partial = "partial",
        /// The list of them is.
        Broken = "broken",
    }
}

/// What is on record of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What was found.
    pub integrity: Integrity,
    /// When a check last said so, in milliseconds UTC.
    pub checked_ms: Option<i64>,
}

impl Record for Verdict {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            integrity: row.parsed("integrity")?,
            checked_ms: row.maybe_int("checked_ms")?,
        })
    }
}

impl Report {
    /// What follows for the manifest that was checked.
    pub fn integrity(&self) -> Integrity {
        if self.is_sound() {
            Integrity::Ok
        } else if self.is_broken {
            Integrity::Broken
        } else {
            Integrity::Partial
        }
    }

    /// The same once what there is a good copy of is mended: `gone` is the rest.
    pub fn integrity_without(&self, gone: &BTreeSet<Hash>) -> Integrity {
        match self.integrity() {
            Integrity::Partial if self.faulty.is_disjoint(gone) => Integrity::Ok,
            other => other,
        }
    }
}

/// What is on record of a manifest; none where it is not recorded.
pub async fn verdict<'c>(from: impl Read<'c>, manifest_digest: &Hash) -> Result<Option<Verdict>> {
    let text = "SELECT integrity, checked_ms FROM manifest_roots WHERE digest = $1";
    optional(from, sql(text).bind(manifest_digest.to_hex())).await
}

/// The next recorded manifest in the order of digests, with what is on record of it.
pub(crate) async fn verdict_after<'c>(
    from: impl Read<'c>,
    after: &str,
) -> Result<Option<(Hash, Verdict)>> {
    let text = "SELECT digest, integrity, checked_ms FROM manifest_roots WHERE digest > $1 ORDER BY digest LIMIT 1";
    let found: Option<Named> = optional(from, sql(text).bind(after.to_owned())).await?;
    Ok(found.map(|Named(digest, verdict)| (digest, verdict)))
}

struct Named(Hash, Verdict);

impl Record for Named {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(row.parsed("digest")?, Verdict::read(row)?))
    }
}

/// Records what a check of `mode` found, which began when `before` was on record.
///
/// Damage is always recorded, and only ever as more than was known. That a manifest is whole is recorded by a full check only, and only where no
/// other check has said anything meanwhile.
pub async fn record(
    tx: &mut Tx,
    manifest_digest: &Hash,
    (found, mode): (Integrity, Mode),
    before: Verdict,
) -> Result<()> {
    let text = match found {
        Integrity::Ok if mode != Mode::Full => return Ok(()),
        Integrity::Ok => {
            "UPDATE manifest_roots SET integrity = $2, checked_ms = $3 WHERE digest = $1 AND COALESCE(checked_ms, 0) = $4"
        }
        Integrity::Partial => {
            "UPDATE manifest_roots SET integrity = CASE integrity WHEN 'broken' THEN integrity ELSE $2 END, checked_ms = $3 \
             WHERE digest = $1"
        }
        Integrity::Broken => {
            "UPDATE manifest_roots SET integrity = $2, checked_ms = $3 WHERE digest = $1"
        }
    };
    let query = sql(text)
        .bind(manifest_digest.to_hex())
        .bind(found.as_str())
        .bind(tx.now_ms());
    let query = match found {
        Integrity::Ok => query.bind(before.checked_ms.unwrap_or(0)),
        Integrity::Partial | Integrity::Broken => query,
    };
    if execute(tx, query).await? > 0 {
        tell(tx, manifest_digest).await?;
    }
    Ok(())
}

struct Concerned(DatasetId, ProjectId);

impl Record for Concerned {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(row.parsed("id")?, row.parsed("project_id")?))
    }
}

/// Tells of the datasets that have it.
async fn tell(tx: &mut Tx, manifest_digest: &Hash) -> Result<()> {
    let text = "SELECT id, project_id FROM datasets WHERE id IN (SELECT dataset_id FROM dataset_versions WHERE manifest_digest = $1)";
    let query = sql(text).bind(manifest_digest.to_hex());
    for Concerned(dataset, project) in all(&mut *tx, query).await? {
        tx.notice(Notice {
            kind: Kind::DatasetChanged,
            project_id: Some(project),
            user_id: None,
            subject: dataset.to_string(),
        });
    }
    Ok(())
}
