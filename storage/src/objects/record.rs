//! What a finished capture or upload writes into the database: objects, whose they are, and the root that names them.

use super::{Claim, Hash, Key, Space};
use crate::db::{Db, Many, Query, Tx, execute, optional, select_in, sql};
use crate::ids::ProjectId;
use crate::manifest::Summary;
use crate::{Error, Result};

/// How many condemned keys one statement takes back.
const ROWS: usize = 64;

static OBJECTS: Many = Many::new(
    "INSERT INTO objects (hash, size, created_ms)",
    3,
    "ON CONFLICT DO NOTHING",
);
static OWNED: Many = Many::new(
    "INSERT INTO project_objects (project_id, hash)",
    2,
    "ON CONFLICT DO NOTHING",
);

/// Records objects of a project and a manifest made of them. Repeating it changes nothing.
///
/// `objects` must be sorted: two transactions that insert the same rows then never wait for each other in a circle. `claims` are those of the work
/// that put them: what it met may have been condemned.
pub(crate) async fn record(
    tx: &mut Tx,
    project: ProjectId,
    objects: &[(Hash, u64)],
    (summary, claims): (&Summary, &[Claim]),
) -> Result<()> {
    let now_ms = tx.now_ms();
    for claim in claims {
        revive(tx, &claim.keys()).await?;
        super::remote::nodes_placed(tx, &claim.sent()).await?;
    }
    insert(tx, project, objects).await?;
    let insert = "INSERT INTO manifest_roots (digest, content_digest, files, bytes, symlinks, created_ms) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest) DO UPDATE SET \
                  touched = manifest_roots.touched + 1, condemned_in = NULL, condemned_ms = NULL";
    let query = sql(insert)
        .bind(summary.manifest_digest.to_hex())
        .bind(summary.content_digest.to_hex());
    let query = query
        .bind(number(summary.files))
        .bind(number(summary.bytes))
        .bind(number(summary.symlinks));
    execute(tx, query.bind(now_ms)).await?;
    Ok(())
}

async fn insert(tx: &mut Tx, project: ProjectId, objects: &[(Hash, u64)]) -> Result<()> {
    super::remote::all_placed(tx, objects).await?;
    let now_ms = tx.now_ms();
    let object = |query: Query, (hash, size): &(Hash, u64)| {
        query.bind(hash.to_hex()).bind(number(*size)).bind(now_ms)
    };
    OBJECTS.write(tx, objects, object).await?;
    let owned = |query: Query, (hash, _): &(Hash, u64)| query.bind(project).bind(hash.to_hex());
    OWNED.write(tx, objects, owned).await
}

/// Records one object of a project that no manifest names. Repeating it changes nothing.
pub(crate) async fn record_one(
    tx: &mut Tx,
    project: ProjectId,
    (hash, size): (Hash, u64),
) -> Result<()> {
    revive(tx, &[(Space::Objects, hash)]).await?;
    insert(tx, project, &[(hash, size)]).await
}

/// Takes back that these, sorted, were condemned: something needs them again, from this transaction on.
pub(crate) async fn revive(tx: &mut Tx, keys: &[Key]) -> Result<()> {
    let any = sql("SELECT cycle FROM condemned LIMIT 1");
    if keys.is_empty()
        || super::without("revival")
        || optional::<i64>(&mut *tx, any).await?.is_none()
    {
        return Ok(());
    }
    for chunk in keys.chunks(ROWS) {
        // Always as many values, the last one repeated.
        let filled = (0..ROWS).map(|at| chunk[at.min(chunk.len() - 1)].1.to_hex());
        let query = select_in("DELETE FROM condemned WHERE hash IN", ROWS, "");
        execute(tx, filled.fold(query, Query::bind)).await?;
    }
    Ok(())
}

/// Says that something comes to hold a manifest that is recorded, in the transaction that records it.
///
/// # Errors
/// `NotFound` where its files are gone, because nothing had held it for days.
pub(crate) async fn hold(tx: &mut Tx, digest: &str) -> Result<()> {
    let text = "UPDATE manifest_roots SET touched = touched + 1, condemned_in = NULL, condemned_ms = NULL WHERE digest = $1";
    if execute(tx, sql(text).bind(digest.to_owned())).await? == 0
        && optional::<i64>(&mut *tx, sql(COLLECTED)).await?.is_some()
    {
        return Err(Error::not_found(
            "these files are gone: nothing had used them any more",
        ));
    }
    Ok(())
}

/// Whether work that has a claim may rely on everything in a manifest: it is recorded, and not condemned.
///
/// What is condemned later is younger than the claim. Where nothing was ever collected, everything may be relied on.
pub(crate) async fn is_usable(db: &Db, digest: &Hash) -> Result<bool> {
    let text = "SELECT touched FROM manifest_roots WHERE digest = $1 AND condemned_in IS NULL";
    let query = sql(text).bind(digest.to_hex());
    Ok(optional::<i64>(db, query).await?.is_some()
        || optional::<i64>(db, sql(COLLECTED)).await?.is_none())
}

/// Whether anything was ever collected.
const COLLECTED: &str = "SELECT number FROM collections LIMIT 1";

/// A size or count as the database keeps it.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
