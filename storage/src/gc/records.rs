//! Records of cycles.

use serde::Serialize;

use super::{Options, Report};
use crate::audit;
use crate::db::{Db, Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::list::{List, Page};
use crate::names::named;

named! {
    /// How far a cycle is.
    State {
        /// It goes on.
        Running = "running",
        /// It came to its end.
        Done = "done",
        /// It did not.
        Failed = "failed",
    }
}

/// How many cycles stay on record.
const KEPT: i64 = 1000;
/// How long after one that failed another is tried.
const AGAIN_MS: i64 = 3_600_000;

/// A cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// 1 for the first.
    pub number: i64,
    /// How far it is.
    pub state: State,
    /// Whether it only looked.
    pub dry: bool,
    /// Who asked for it; none for the service itself.
    pub user_id: Option<UserId>,
    /// When it began, in milliseconds UTC.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// What it did.
    pub report: Option<Report>,
}

impl Record for Collection {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            number: row.int("number")?,
            state: row.parsed("state")?,
            dry: row.flag("dry")?,
            user_id: row.maybe_parsed("user_id")?,
            started_ms: row.int("started_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
            report: row.maybe_json("report")?,
        })
    }
}

/// Records a cycle that begins. The caller holds the lock of the store: what is on record as running has been killed.
pub(super) async fn begin(db: &Db, options: &Options) -> Result<i64> {
    let work = |mut tx: Tx| async move {
        end_killed(&mut tx).await?;
        let text = "INSERT INTO collections (number, state, dry, user_id, started_ms) \
             SELECT COALESCE(MAX(number), 0) + 1, 'running', $1, $2, $3 FROM collections RETURNING number";
        let query = sql(text).bind(i64::from(options.dry)).bind(options.by);
        let query = query.bind(tx.now_ms());
        let number: i64 = required(&mut tx, query).await?;
        let text = "DELETE FROM collections WHERE number <= $1";
        execute(&mut tx, sql(text).bind(number - KEPT)).await?;
        Ok(number)
    };
    db.write(work).await
}

/// Records that a cycle which is on record as running was killed. The caller holds the lock of the store.
pub(super) async fn end_killed(tx: &mut Tx) -> Result<()> {
    let text = "UPDATE collections SET state = 'failed', ended_ms = $1 WHERE state = 'running' RETURNING *";
    let query = sql(text).bind(tx.now_ms());
    let killed: Option<Collection> = optional(&mut *tx, query).await?;
    match killed {
        Some(one) if !one.dry => {
            let told = serde_json::json!({"state": State::Failed.as_str()});
            let subject = one.number.to_string();
            audit::record(tx, one.user_id, "collect", &subject, &told).await
        }
        _ => Ok(()),
    }
}

/// Records that all that a cycle found unneeded is condemned.
pub(super) async fn condemned(db: &Db, number: i64) -> Result<()> {
    let text = "UPDATE collections SET condemned_ms = $2 WHERE number = $1";
    let now_ms = db.now_ms();
    let work =
        |mut tx: Tx| async move { execute(&mut tx, sql(text).bind(number).bind(now_ms)).await };
    db.write(work).await.map(|_| ())
}

/// Records how a cycle ended, in the audit record too unless it only looked.
pub(super) async fn end(
    db: &Db,
    (number, options): (i64, &Options),
    (state, report): (State, &Report),
) -> Result<()> {
    let detail = serde_json::to_value(report)
        .map_err(|error| Error::internal("a report is not JSON", error))?;
    let detail = &detail;
    let text = "UPDATE collections SET state = $2, ended_ms = $3, report = $4 WHERE number = $1";
    let work = |mut tx: Tx| async move {
        let query = sql(text).bind(number).bind(state.as_str());
        let query = query.bind(tx.now_ms()).bind(detail.to_string());
        execute(&mut tx, query).await?;
        if options.dry {
            return Ok(());
        }
        let told = serde_json::json!({"state": state.as_str(), "condemned": detail["condemned"], "swept": detail["swept"]});
        audit::record(&mut tx, options.by, "collect", &number.to_string(), &told).await
    };
    db.write(work).await
}

/// The last cycle that has condemned all it could; 0 before the first.
pub(crate) async fn newest(db: &Db) -> Result<i64> {
    let text = "SELECT COALESCE(MAX(number), 0) FROM collections WHERE condemned_ms IS NOT NULL";
    required(db, sql(text)).await
}

/// Whether it is time for another cycle: the last one, dry ones aside, came to its end at least this long ago, and none failed within the hour.
pub async fn is_due(db: &Db, interval_ms: i64) -> Result<bool> {
    let text = "SELECT COALESCE(MAX(ended_ms), -1) FROM collections WHERE dry = 0 AND state = $1";
    let now_ms = db.now_ms();
    for (state, after_ms) in [
        (State::Done, interval_ms),
        (State::Failed, interval_ms.min(AGAIN_MS)),
    ] {
        let last: i64 = required(db, sql(text).bind(state.as_str())).await?;
        // A clock that was set back must not put it off for ever.
        if (0..=now_ms).contains(&last) && now_ms - last < after_ms {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The cycle with this number.
pub async fn get(db: &Db, number: i64) -> Result<Option<Collection>> {
    optional(
        db,
        sql("SELECT * FROM collections WHERE number = $1").bind(number),
    )
    .await
}

/// The cycles, newest first.
pub async fn list(db: &Db, page: &Page) -> Result<List<Collection>> {
    let text =
        "SELECT * FROM collections WHERE ($1 IS NULL OR number < $1) ORDER BY number DESC LIMIT $2";
    let query = sql(text).bind(page.after::<i64>()?).bind(page.fetch());
    Ok(List::cut(
        all(db, query).await?,
        page,
        |one: &Collection| one.number,
    ))
}
