//! Records of passes.

use serde::Serialize;

use super::{Damage, News, Step};
use crate::audit;
use crate::db::{Db, Read, Record, Row, Tx, execute, optional, required, sql};
use crate::error::{Error, Result};
use crate::list::{List, Page};
use crate::names::named;
use crate::objects::number;

named! {
    /// How far a pass is.
    State {
        /// It goes on.
        Running = "running",
        /// It came to its end.
        Done = "done",
    }
}

named! {
    /// What a pass reads.
    Part {
        /// The lists of files.
        Manifests = "manifests",
        /// The files.
        Objects = "objects",
    }
}

/// What the audit record calls it.
const FIND: &str = "find_damage";
/// How many passes stay on record.
const KEPT: i64 = 100;
/// The most that one pass tells of, in number; the audit record has more.
const MOST_FOUND: usize = 100;
/// The most bytes that this has, as JSON.
const MOST_FOUND_BYTES: usize = 1 << 20;
/// Passes without what they found, which can be long and is read for lists only.
const NEWEST: &str = "SELECT number, state, part, after, files, bytes, total_bytes, damaged, unread, '[]' AS found, started_ms, ended_ms \
     FROM scrubs ORDER BY number DESC LIMIT 1";
const RUNNING: &str = "SELECT number, state, part, after, files, bytes, total_bytes, damaged, unread, '[]' AS found, started_ms, ended_ms \
     FROM scrubs WHERE state = 'running'";
/// What an object counts for in the time that a pass takes, besides its bytes: it has to be found.
const OBJECT_BYTES: i64 = 4096;

/// A pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// 1 for the first.
    pub number: i64,
    /// How far it is.
    pub state: State,
    /// What it reads now.
    pub part: Part,
    /// The last digest or hash of that which is done; empty before the first.
    #[serde(skip)]
    pub after: String,
    /// How many objects it has looked at.
    pub files: i64,
    /// How many bytes of them it has read.
    pub bytes: i64,
    /// What it has done for `total_bytes`, in the same measure.
    #[serde(skip)]
    done_bytes: i64,
    /// How many bytes there were when it began, with 4096 for each object.
    #[serde(skip)]
    total_bytes: i64,
    /// How many objects and parts of manifests it found missing or damaged.
    pub damaged: i64,
    /// How many of them the system could not read, so that nothing is known of them.
    pub unread: i64,
    /// What it found that was not known, at most 100 and a MiB.
    pub found: Vec<Damage>,
    /// When it began, in milliseconds UTC.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

impl Record for Pass {
    fn read(row: &Row) -> Result<Self> {
        let (files, bytes) = (row.int("files")?, row.int("bytes")?);
        Ok(Self {
            number: row.int("number")?,
            state: row.parsed("state")?,
            part: row.parsed("part")?,
            after: row.text("after")?,
            files,
            bytes,
            done_bytes: bytes.saturating_add(files.saturating_mul(OBJECT_BYTES)),
            total_bytes: row.int("total_bytes")?,
            damaged: row.int("damaged")?,
            unread: row.int("unread")?,
            found: row.json("found")?,
            started_ms: row.int("started_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
        })
    }
}

impl Pass {
    /// How much of it is done, 0 to 100.
    pub fn percent(&self) -> i64 {
        match (self.state, self.total_bytes) {
            (State::Done, _) => 100,
            (State::Running, 0) => 0,
            (State::Running, total) => (i128::from(self.done_bytes) * 100 / i128::from(total))
                .clamp(0, 100)
                .try_into()
                .unwrap_or(100),
        }
    }
}

/// When the next step is due, in milliseconds UTC, where a pass is to take `period_ms`; one for which it is late is due at once. None where no pass was begun yet.
pub async fn next_ms(db: &Db, period_ms: i64) -> Result<Option<i64>> {
    let last: Option<Pass> = optional(db, sql(NEWEST)).await?;
    let now_ms = db.now_ms();
    Ok(last.map(|pass| {
        // A clock that was set back must not put it off for ever.
        let began = pass.started_ms.min(now_ms);
        let share = match pass.state {
            State::Done => period_ms,
            State::Running if pass.part == Part::Manifests || pass.total_bytes <= 0 => 0,
            State::Running => {
                let share = i128::from(period_ms) * i128::from(pass.done_bytes)
                    / i128::from(pass.total_bytes);
                i64::try_from(share).unwrap_or(period_ms).min(period_ms)
            }
        };
        began.saturating_add(share)
    }))
}

/// The pass that goes on, without what it found; none between two.
pub async fn running<'c>(from: impl Read<'c>) -> Result<Option<Pass>> {
    optional(from, sql(RUNNING)).await
}

/// Begins a pass.
///
/// # Errors
/// `Conflict` while one goes on.
pub async fn begin(db: &Db) -> Result<Pass> {
    let work = |mut tx: Tx| async move {
        if running(&mut tx).await?.is_some() {
            return Err(Error::conflict("everything is being read again already"));
        }
        let text = "SELECT CAST(COALESCE(SUM(size + $1), 0) AS BIGINT) FROM objects";
        let total: i64 = required(&mut tx, sql(text).bind(OBJECT_BYTES)).await?;
        let text = "INSERT INTO scrubs (number, state, part, after, files, bytes, total_bytes, damaged, unread, found, started_ms) \
             SELECT COALESCE(MAX(number), 0) + 1, 'running', 'manifests', '', 0, 0, $1, 0, 0, '[]', $2 FROM scrubs RETURNING *";
        let query = sql(text).bind(total).bind(tx.now_ms());
        let pass: Pass = required(&mut tx, query).await?;
        let text = "DELETE FROM scrubs WHERE number <= $1";
        execute(&mut tx, sql(text).bind(pass.number - KEPT)).await?;
        Ok(pass)
    };
    db.write(work).await
}

/// Records how far a pass has come with a step, and what damage it found that was not known; the audit record has it too.
///
/// # Errors
/// `Conflict` where the pass is not where it was when the step began.
pub async fn advance(tx: &mut Tx, pass: &Pass, step: &Step, news: &News) -> Result<()> {
    let mut next = pass.clone();
    next.unread += number(step.report.unread);
    if pass.part == Part::Manifests {
        // Files are counted with the objects, once.
        let lists = step.report.nodes.len().max(step.report.is_broken.into());
        next.damaged += number(lists as u64);
    } else {
        next.damaged += number(step.report.faulty.len() as u64);
        next.files += number(step.report.objects);
        next.bytes += number(step.report.bytes);
    }
    match (step.after, pass.part) {
        (Some(after), _) => next.after = after.to_hex(),
        (None, Part::Manifests) => (next.part, next.after) = (Part::Objects, String::new()),
        (None, Part::Objects) => (next.state, next.ended_ms) = (State::Done, Some(tx.now_ms())),
    }
    note(tx, news).await?;
    let text = "UPDATE scrubs SET state = $4, part = $5, after = $6, files = $7, bytes = $8, damaged = $9, ended_ms = $10, unread = $11 \
         WHERE number = $1 AND part = $2 AND after = $3 AND state = 'running'";
    let query = sql(text)
        .bind(pass.number)
        .bind(pass.part.as_str())
        .bind(pass.after.clone())
        .bind(next.state.as_str());
    let query = query
        .bind(next.part.as_str())
        .bind(next.after)
        .bind(next.files);
    let query = query.bind(next.bytes).bind(next.damaged);
    let query = query.bind(next.ended_ms).bind(next.unread);
    if execute(&mut *tx, query).await? == 0 {
        return Err(Error::conflict("somebody else scrubs this store"));
    }
    if news.told.is_empty() {
        return Ok(());
    }
    find(tx, pass.number, &news.told).await
}

/// Adds to the audit record.
async fn note(tx: &mut Tx, news: &News) -> Result<()> {
    for one in &news.told {
        let subject = match (one.manifest_digest, one.files.first()) {
            (Some(digest), _) => digest.to_hex(),
            (None, file) => file.map(|file| file.hash.to_hex()).unwrap_or_default(),
        };
        audit::record(tx, None, FIND, &subject, &json(one)?).await?;
    }
    if news.more > 0 {
        let detail = serde_json::json!({"more": news.more});
        audit::record(tx, None, FIND, "", &detail).await?;
    }
    Ok(())
}

/// Adds to what a pass has found, as long as there is room.
async fn find(tx: &mut Tx, number: i64, new: &[Damage]) -> Result<()> {
    let text = "SELECT * FROM scrubs WHERE number = $1";
    let before: Pass = required(&mut *tx, sql(text).bind(number)).await?;
    let mut found = before.found;
    let mut bytes = json(&found)?.to_string().len();
    for one in new {
        bytes += json(one)?.to_string().len();
        if found.len() >= MOST_FOUND || bytes > MOST_FOUND_BYTES {
            break;
        }
        found.push(one.clone());
    }
    let text = "UPDATE scrubs SET found = $2 WHERE number = $1";
    let query = sql(text).bind(number).bind(json(&found)?.to_string());
    execute(tx, query).await?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::internal("a record is not JSON", error))
}

/// Whether anything was ever found damaged, or could not be read, as far as there are records of it: a list that is thought whole may lack a file
/// then, because it could not be read when that was looked for, or was being recorded.
pub(super) async fn is_suspect(db: &Db) -> Result<bool> {
    let text = "SELECT number FROM scrubs WHERE damaged > 0 OR unread > 0 LIMIT 1";
    if optional::<i64>(db, sql(text)).await?.is_some() {
        return Ok(true);
    }
    let text = "SELECT digest FROM manifest_roots WHERE integrity <> 'ok' LIMIT 1";
    Ok(optional::<String>(db, sql(text)).await?.is_some())
}

/// The passes, newest first.
pub async fn list(db: &Db, page: &Page) -> Result<List<Pass>> {
    let text =
        "SELECT * FROM scrubs WHERE ($1 IS NULL OR number < $1) ORDER BY number DESC LIMIT $2";
    let query = sql(text).bind(page.after::<i64>()?).bind(page.fetch());
    Ok(List::cut(
        crate::db::all(db, query).await?,
        page,
        |one: &Pass| one.number,
    ))
}

/// How many lists of files are known to be damaged, in part or themselves; and the newest pass, without what it found.
pub async fn standing(db: &Db) -> Result<(i64, Option<Pass>)> {
    let text = "SELECT COUNT(*) FROM manifest_roots WHERE integrity <> 'ok'";
    let damaged: i64 = required(db, sql(text)).await?;
    Ok((damaged, optional(db, sql(NEWEST)).await?))
}
