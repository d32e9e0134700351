//! Backups: everything that is recorded and everything that the records name, as it was at one moment, in one file.
//!
//! A backup is a tar archive that any tar can read (`docs/operations.md` describes it):
//!
//! ```text
//! backup.json                      what it is: the format, the version of Cairn and of its tables, how many rows come
//! database/TABLE.jsonl             the rows of a table, one JSON object a line; tables that others refer to come first
//! store/manifests/HH/…             nodes of manifests, by their digests, as the store has them
//! store/objects/HH/…               contents, by their hashes
//! store/damaged/HH/…               empty: says that the content before it is not what its name says, as the store had it
//! lost.jsonl                       what the records name and the store did not have, or had damaged
//! end.json                         totals, and a digest of all of it: without this file a backup was cut short
//! ```
//!
//! Rows are read in one short transaction. What they name stays in the store meanwhile, because a claim is held from before that transaction to the
//! end of the backup. It is all the same with which database and which store it was made, so a backup is also how one moves to another.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::ids::MachineId;
use crate::objects::{Hash, Space};

mod archive;
mod contents;
mod incoming;
mod lines;
mod load;
mod receive;
mod restore;
mod rows;
mod settle;
mod tables;
mod write;

#[cfg(test)]
mod tests;

pub use crate::homes::AbsentHome;
pub use incoming::Incoming;
pub use restore::{Begun, Restored, Target, begin, check, is_begun};
pub use settle::Settled;
pub use write::{Options, Written, write};

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;
/// The tables of the first version of Cairn that made backups.
const OLDEST_SCHEMA: i64 = 10;

const HEADER: &str = "backup.json";
const ROWS: &str = "database/";
const ROWS_END: &str = ".jsonl";
const LOST: &str = "lost.jsonl";
const END: &str = "end.json";
/// Contents up to this size are looked at before they are written or put.
const SMALL_BYTES: u64 = 1 << 20;
/// The largest node of a manifest, as it is packed.
const MAX_NODE_BYTES: u64 = 96 << 20;

/// Where backups go: whatever takes bytes.
pub type Output = Box<dyn Write + Send>;

/// How far a backup or a restore is. Called often; must be quick.
pub type Watch = Box<dyn Fn(Progress) + Send>;

/// A step forward.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// About so many bytes there are to be done.
    Total(u64),
    /// So many more are done.
    Done(u64),
}

/// What a backup says of itself at its beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// See [`FORMAT`].
    pub format: u32,
    /// The version of Cairn that made it.
    pub cairn: String,
    /// The version of the tables.
    pub schema: i64,
    /// When it was made, in milliseconds UTC.
    pub created_ms: i64,
    /// The machine whose server made it, if that is known: homes and jobs are recorded as being there.
    pub machine_id: Option<MachineId>,
    /// The tables in the order in which they come.
    pub tables: Vec<Table>,
}

/// How much of a table there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
}

/// What a backup says at its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totals {
    /// How many nodes of manifests are in it.
    pub manifests: u64,
    /// How many contents are in it.
    pub objects: u64,
    /// How many bytes these are.
    pub bytes: u64,
    /// How much that something in use needs is not in it, because the store did not have it or had it damaged.
    pub lost: u64,
    /// The BLAKE3 of the lines that `b3sum` gives for all files before this one, in their order.
    pub digest: Hash,
}

/// A line of the list of what is lost.
#[derive(Debug, Serialize, Deserialize)]
struct Lost {
    space: String,
    hash: Hash,
    /// Whether something in use needs it.
    needed: bool,
}

fn folder(space: Space) -> &'static str {
    match space {
        Space::Objects => "objects",
        Space::Manifests => "manifests",
    }
}

/// The name of a thing of the store in a backup, as in the store's own folder.
fn place(folder: &str, hash: &Hash) -> String {
    let hex = hash.to_hex();
    format!("store/{folder}/{}/{}", &hex[..2], &hex[2..])
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| crate::Error::internal("a part of a backup is not JSON", error))
}

/// Tests end the process at a named step.
use crate::objects::step;
