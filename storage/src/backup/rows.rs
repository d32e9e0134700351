//! Reads the rows of one moment into files of a scratch folder, so that the transaction is short however slowly the backup is taken away.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::lines::MAX_LINE_BYTES;
use super::tables::{KEPT, Kept};
use super::{ROWS_END, Table};
use crate::Result;
use crate::db::{Record, Row, Snapshot, all, newest_version, sql};
use crate::error::Error;
use crate::gc::{HELD_OBJECTS, Marks, Need, ROOTS};
use crate::objects::{Hash, Space, Store, io_error, wait_for};

/// Rows read at a time.
const PAGE: i64 = 10_000;
/// What was read.
pub(super) struct Taken {
    pub(super) tables: Vec<Table>,
    /// The objects that rows name, marked by how much they are needed.
    pub(super) marks: Marks,
    /// The manifests on record, in the same way.
    pub(super) roots: Marks,
    /// About how many bytes the objects are.
    pub(super) bytes: u64,
}

struct Root(Hash, Need);

impl Record for Root {
    fn read(row: &Row) -> Result<Self> {
        let need = if row.flag("held")? {
            Need::Held
        } else {
            Need::Fading
        };
        Ok(Self(row.parsed("digest")?, need))
    }
}

struct Object(Hash);

impl Record for Object {
    fn read(row: &Row) -> Result<Self> {
        row.parsed("hash").map(Self)
    }
}

/// The file with a table's rows.
pub(super) fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}{ROWS_END}"))
}

/// What is written down on the way could not be.
pub(super) fn unspooled(path: &Path, error: std::io::Error) -> Error {
    io_error(
        format!("the records cannot be written down in {}", path.display()),
        error,
    )
}

/// Reads everything into `folder`. Blocks.
pub(super) fn take(store: &Store, folder: &Path) -> Result<Taken> {
    let db = store.db();
    let schema = wait_for(db.version())?;
    if schema != Some(newest_version()) {
        return Err(Error::conflict(
            "the tables of the database are not of this version of Cairn: use the `cairn` that the server runs",
        ));
    }
    let mut snapshot = wait_for(db.snapshot())?;
    let mut taken = Taken {
        tables: Vec::with_capacity(KEPT.len()),
        marks: Marks::create(store.files())?,
        roots: Marks::create(store.files())?,
        bytes: 0,
    };
    for table in KEPT {
        taken.table(&mut snapshot, folder, table)?;
        super::step("table read");
    }
    for text in HELD_OBJECTS.iter() {
        taken.held_objects(&mut snapshot, text)?;
    }
    taken.manifests(&mut snapshot, db.now_ms())?;
    Ok(taken)
}

impl Taken {
    fn table(&mut self, snapshot: &mut Snapshot, folder: &Path, table: &Kept) -> Result<()> {
        let path = file(folder, table.name);
        let failed = |error| unspooled(&path, error);
        let fresh = File::create_new(&path).map_err(failed)?;
        let mut out = BufWriter::new(fresh);
        let mut rows = 0;
        let each = &mut |row: Map<String, Value>| {
            if table.name == "objects" {
                self.object(&row)?;
            }
            let line = super::json(&row)?;
            if line.len() > MAX_LINE_BYTES {
                let name = table.name;
                return Err(Error::fault(format!(
                    "a row of {name} has {} bytes, more than a backup can hold",
                    line.len()
                )));
            }
            rows += 1;
            out.write_all(&line)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(failed)
        };
        wait_for(snapshot.rows(table.name, table.only, each))?;
        out.flush().map_err(failed)?;
        self.tables.push(Table {
            name: table.name.to_owned(),
            rows,
        });
        Ok(())
    }

    fn object(&mut self, row: &Map<String, Value>) -> Result<()> {
        let missing = || Error::fault("a row of objects has no hash");
        let hash = row["hash"].as_str().ok_or_else(missing)?.parse()?;
        self.bytes += row["size"].as_u64().unwrap_or_default();
        self.marks.add((Space::Objects, hash), Need::Fading)
    }

    fn held_objects(&mut self, snapshot: &mut Snapshot, text: &'static str) -> Result<()> {
        let mut after = String::new();
        loop {
            let query = sql(text).bind(after).bind(PAGE);
            let page: Vec<Object> = wait_for(all(&mut *snapshot, query))?;
            let Some(Object(last)) = page.last() else {
                return Ok(());
            };
            after = last.to_hex();
            for Object(hash) in page {
                self.marks.add((Space::Objects, hash), Need::Held)?;
            }
        }
    }

    fn manifests(&mut self, snapshot: &mut Snapshot, now_ms: i64) -> Result<()> {
        let mut after = String::new();
        loop {
            let query = sql(ROOTS.as_str()).bind(now_ms).bind(after).bind(PAGE);
            let page: Vec<Root> = wait_for(all(&mut *snapshot, query))?;
            let Some(Root(last, _)) = page.last() else {
                return Ok(());
            };
            after = last.to_hex();
            for Root(digest, need) in page {
                self.roots.add((Space::Manifests, digest), need)?;
            }
        }
    }
}
