//! Series: the points that jobs print, packed in blocks, and reading them back at the density of a chart.
//! A batch of points, the latest values and how far the log was read move in one transaction, so each line counts exactly once.

mod point;
mod reduce;
mod window;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::db::{Db, Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::{Error, Result};
use crate::events::Kind;
use crate::ids::{AttemptId, JobId};
use crate::jobs;

pub use point::Point;
use reduce::Reducer;
pub use window::{Axis, Window};

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// The most keys one job may have; what it prints under more is in its log only.
pub const MAX_KEYS: usize = 2000;
/// The largest value kept as the latest of a key, as JSON, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The most points in a block: some 20 KiB of JSON, so that adding to one stays cheap.
const BLOCK_POINTS: usize = 512;
/// How many blocks are in memory at once while a series is read.
const BLOCKS_AT_ONCE: i64 = 64;

/// What was read of an attempt's log.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Where reading began: the attempt's `metadata_offset`.
    pub from_offset: i64,
    /// Where it ended.
    pub to_offset: i64,
    /// How many lines of metadata there were.
    pub lines: i64,
    /// The points they hold, by key, in the order they were printed.
    pub points: Vec<(String, Vec<Point>)>,
    /// The latest value of each key they name.
    pub latest: Map<String, Value>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is recorded.
    Recorded {
        /// How many keys were left out, because they are too long or too many, or their value is too large.
        keys_left_out: usize,
    },
    /// Nothing is changed: the attempt is not live, or its log has been read from there already.
    Refused,
}

/// A series for a chart. JSON: `{"key", "points": [[x, y, ms], …], "total"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// Its key.
    pub key: String,
    /// Points of it, in the order they were printed.
    pub points: Vec<Point>,
    /// How many it has.
    pub total: i64,
}

/// A key of a job, and how many points it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// How many points it has.
    pub total: i64,
}

struct Block {
    seq: i64,
    points: Vec<Point>,
}

impl Record for Block {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            seq: row.int("seq")?,
            points: row.json("points")?,
        })
    }
}

impl Record for Key {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            key: row.text("key")?,
            total: row.int("total")?,
        })
    }
}

/// Records a batch, if the attempt is live and its log has been read just up to `from_offset`.
pub async fn append(tx: &mut Tx, attempt: AttemptId, batch: &Batch) -> Result<Appended> {
    let text = "UPDATE attempts SET metadata_offset = $3, metadata_lines = metadata_lines + $4 \
         WHERE id = $1 AND metadata_offset = $2 AND $3 >= $2 AND state = 'live' RETURNING job_id";
    let query = sql(text)
        .bind(attempt)
        .bind(batch.from_offset)
        .bind(batch.to_offset)
        .bind(batch.lines);
    let Some(id) = optional::<String>(&mut *tx, query).await? else {
        return Ok(Appended::Refused);
    };
    if batch.points.is_empty() && batch.latest.is_empty() {
        return Ok(Appended::Recorded { keys_left_out: 0 });
    }
    let job = jobs::get(&mut *tx, id.parse()?)
        .await?
        .ok_or_else(|| Error::fault("an attempt has no job"))?;
    let mut metadata = job.metadata.clone();
    let mut keys_left_out = 0;
    for (key, value) in &batch.latest {
        let known = metadata.contains_key(key);
        let small = key.len() <= MAX_KEY_BYTES && value.to_string().len() <= MAX_VALUE_BYTES;
        if small && (known || metadata.len() < MAX_KEYS) {
            metadata.insert(key.clone(), value.clone());
        } else {
            keys_left_out += 1;
        }
    }
    let query = sql("UPDATE jobs SET metadata = $2 WHERE id = $1")
        .bind(job.id)
        .bind(Value::Object(metadata.clone()).to_string());
    execute(tx, query).await?;
    for (key, points) in &batch.points {
        if metadata.contains_key(key) {
            add_points(tx, job.id, key, points).await?;
        } else if !batch.latest.contains_key(key) {
            keys_left_out += 1;
        }
    }
    jobs::notice(tx, &job, Kind::JobMetadata);
    Ok(Appended::Recorded { keys_left_out })
}

/// Fills the last block of the series, then makes new ones.
async fn add_points(tx: &mut Tx, job_id: JobId, key: &str, points: &[Point]) -> Result<()> {
    let text = "SELECT seq, points FROM series_blocks WHERE job_id = $1 AND key = $2 ORDER BY seq DESC LIMIT 1";
    let last: Option<Block> = optional(&mut *tx, sql(text).bind(job_id).bind(key)).await?;
    let mut block = last.unwrap_or(Block {
        seq: 0,
        points: Vec::new(),
    });
    let mut rest = points;
    while !rest.is_empty() {
        if block.points.len() >= BLOCK_POINTS {
            block = Block {
                seq: block.seq + 1,
                points: Vec::new(),
            };
        }
        let (now, later) = rest.split_at(rest.len().min(BLOCK_POINTS - block.points.len()));
        block.points.extend_from_slice(now);
        put_block(tx, job_id, key, &block).await?;
        rest = later;
    }
    Ok(())
}

async fn put_block(tx: &mut Tx, job_id: JobId, key: &str, block: &Block) -> Result<()> {
    let points = serde_json::to_string(&block.points)
        .map_err(|error| Error::internal("points are not JSON", error))?;
    let count = i64::try_from(block.points.len()).unwrap_or(i64::MAX);
    let text = "INSERT INTO series_blocks (job_id, key, seq, count, points) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (job_id, key, seq) DO UPDATE SET count = excluded.count, points = excluded.points";
    execute(
        tx,
        sql(text)
            .bind(job_id)
            .bind(key)
            .bind(block.seq)
            .bind(count)
            .bind(points),
    )
    .await?;
    Ok(())
}

/// The keys of a job that have points, by name.
pub async fn keys(db: &Db, job_id: JobId) -> Result<Vec<Key>> {
    let text = "SELECT key, CAST(SUM(count) AS BIGINT) AS total FROM series_blocks WHERE job_id = $1 GROUP BY key ORDER BY key";
    all(db, sql(text).bind(job_id)).await
}

/// Reads a series, or what `window` shows of it, with at most about `points` points (at least 4): all of it where it is shorter, else
/// the first, the last, and the least and the greatest of each stretch between, so that no spike is lost. A series that does not exist
/// is empty.
///
/// Memory is bounded by `points`, not by the length of the series.
pub async fn read(
    db: &Db,
    job_id: JobId,
    key: &str,
    points: usize,
    window: Option<Window>,
) -> Result<Series> {
    let text = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM series_blocks WHERE job_id = $1 AND key = $2";
    let total: i64 = required(db, sql(text).bind(job_id).bind(key)).await?;
    let mut seen = usize::try_from(total).unwrap_or_default();
    if let Some(window) = window {
        let mut view = window.view();
        seen = 0;
        each(db, job_id, key, |point| seen += view.show(point).count()).await?;
    }
    let mut reducer = Reducer::new(seen, points);
    let mut view = window.map(Window::view);
    each(db, job_id, key, |point| match &mut view {
        Some(view) => view.show(point).for_each(|point| reducer.add(point)),
        None => reducer.add(point),
    })
    .await?;
    Ok(Series {
        key: key.to_owned(),
        points: reducer.finish(),
        total,
    })
}

/// Goes through the points of a series in the order they were printed.
async fn each(db: &Db, job_id: JobId, key: &str, mut take: impl FnMut(Point)) -> Result<()> {
    let text = "SELECT seq, points FROM series_blocks WHERE job_id = $1 AND key = $2 AND seq > $3 ORDER BY seq LIMIT $4";
    let mut seen = -1;
    loop {
        let query = sql(text).bind(job_id).bind(key);
        let blocks: Vec<Block> = all(db, query.bind(seen).bind(BLOCKS_AT_ONCE)).await?;
        let Some(last) = blocks.last() else {
            return Ok(());
        };
        seen = last.seq;
        blocks
            .iter()
            .flat_map(|block| &block.points)
            .for_each(|point| take(*point));
    }
}
