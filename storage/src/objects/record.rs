//! What a finished capture or upload writes into the database: objects, whose they are, and the root that names them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::Hash;
use crate::Result;
use crate::db::{Tx, execute, sql};
use crate::ids::ProjectId;
use crate::manifest::Summary;

/// Rows that one statement inserts; a rest goes one by one.
const ROWS: usize = 64;

/// Inserts `ROWS` objects.
static OBJECTS: LazyLock<String> = LazyLock::new(|| {
    let head = "INSERT INTO objects (hash, size, state, created_ms) VALUES ";
    many(head, |row, text| {
        write!(text, "(${}, ${}, 'live', $1)", 2 * row + 2, 2 * row + 3)
    })
});
const OBJECT: &str = "INSERT INTO objects (hash, size, state, created_ms) VALUES ($2, $3, 'live', $1) ON CONFLICT DO NOTHING";

/// Inserts `ROWS` rows that say whose an object is.
static OWNED: LazyLock<String> = LazyLock::new(|| {
    many(
        "INSERT INTO project_objects (project_id, hash) VALUES ",
        |row, text| write!(text, "($1, ${})", row + 2),
    )
});
const OWN: &str =
    "INSERT INTO project_objects (project_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";

fn many(head: &str, row: impl Fn(usize, &mut String) -> std::fmt::Result) -> String {
    let mut text = head.to_owned();
    for number in 0..ROWS {
        text.push_str(if number == 0 { "" } else { ", " });
        row(number, &mut text).expect("writing to a string does not fail");
    }
    text.push_str(" ON CONFLICT DO NOTHING");
    text
}

/// Records objects of a project and a manifest made of them. Repeating it changes nothing.
///
/// `objects` must be sorted: two transactions that insert the same rows then never wait for each other in a circle.
pub(crate) async fn record(
    tx: &mut Tx,
    project: ProjectId,
    objects: &[(Hash, u64)],
    summary: &Summary,
) -> Result<()> {
    let now_ms = tx.now_ms();
    for chunk in objects.chunks(ROWS) {
        if chunk.len() == ROWS {
            let query = sql(OBJECTS.as_str()).bind(now_ms);
            let query = chunk.iter().fold(query, |query, (hash, size)| {
                query.bind(hash.to_hex()).bind(number(*size))
            });
            execute(tx, query).await?;
            let query = sql(OWNED.as_str()).bind(project);
            execute(
                tx,
                chunk
                    .iter()
                    .fold(query, |query, (hash, _)| query.bind(hash.to_hex())),
            )
            .await?;
            continue;
        }
        for (hash, size) in chunk {
            execute(
                tx,
                sql(OBJECT)
                    .bind(now_ms)
                    .bind(hash.to_hex())
                    .bind(number(*size)),
            )
            .await?;
        }
        for (hash, _) in chunk {
            execute(tx, sql(OWN).bind(project).bind(hash.to_hex())).await?;
        }
    }
    let insert = "INSERT INTO manifest_roots (digest, content_digest, files, bytes, symlinks, created_ms) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
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

/// Records one object of a project that no manifest names. Repeating it changes nothing.
pub(crate) async fn record_one(
    tx: &mut Tx,
    project: ProjectId,
    (hash, size): (Hash, u64),
) -> Result<()> {
    let query = sql(OBJECT).bind(tx.now_ms()).bind(hash.to_hex());
    execute(tx, query.bind(number(size))).await?;
    execute(tx, sql(OWN).bind(project).bind(hash.to_hex())).await?;
    Ok(())
}

/// A size or count as the database keeps it.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
