//! Makes a backup: reads the rows, finds what they name, and writes it all out.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Read, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::archive::Writer;
use super::contents::{self, Found as Contents};
use super::rows::{self, Taken, unspooled};
use super::{
    END, FORMAT, HEADER, Header, LOST, Lost, MAX_NODE_BYTES, Output, Progress, ROWS, ROWS_END,
    SMALL_BYTES, Totals, Watch, folder, json, place,
};
use crate::db::newest_version;
use crate::gc::Need;
use crate::ids::MachineId;
use crate::manifest::is_node;
use crate::objects::{
    Adopted, Hash, Key, Objects, Source, Space, Store, blocking, io_error, read_small,
};
use crate::{Error, Result};

/// How a backup is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// See [`Header::machine_id`].
    pub machine_id: Option<MachineId>,
    /// Packed with zstd.
    pub packed: bool,
}

/// What a backup amounts to.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// What it says of itself.
    #[serde(flatten)]
    pub header: Header,
    /// What it came to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Writes a backup of the database and the store to `out`, while others work with both.
///
/// All of it is as it was at one moment: what is recorded after that is not in it. Memory does not grow with what there is; the rows are written to
/// the store's staging folder first. What the store has damaged or lost is left out, and counted in [`Totals::lost`]. Dropping the future lets the work
/// run on to its end. It is durable only when whoever gave `out` has seen to that.
///
/// # Errors
/// `Unavailable` when a disk is full or the store cannot be reached now, `Conflict` for a database whose tables are not this program's, or
/// that is of another store.
pub async fn write(store: &Store, out: Output, options: Options, watch: Watch) -> Result<Written> {
    crate::gc::belongs(store).await?;
    let store = store.clone();
    blocking(move || write_now(&store, out, &options, &watch)).await
}

fn write_now(store: &Store, out: Output, options: &Options, watch: &Watch) -> Result<Written> {
    // Before anything is looked at: what is there then stays.
    let _claim = store.files().claim()?;
    let scratch = store.files().scratch()?;
    let created_ms = store.db().now_ms();
    let Taken {
        tables,
        marks,
        roots,
        bytes,
    } = rows::take(store, scratch.path())?;
    super::step("rows taken");
    let Contents { marked, unread } = contents::mark(store.objects(), marks, &roots.finish()?)?;
    super::step("contents marked");
    let header = Header {
        format: FORMAT,
        cairn: env!("CARGO_PKG_VERSION").to_owned(),
        schema: newest_version(),
        created_ms,
        machine_id: options.machine_id,
        tables,
    };
    watch(Progress::Total(bytes));
    let lost = scratch.path().join(LOST);
    let mut backup = Backup {
        objects: store.own(),
        adopted: store.adopted().cloned(),
        out: Writer::new(out, options.packed, created_ms)?,
        watch,
        unread,
        lost: BufWriter::new(File::create_new(&lost).map_err(|error| unspooled(&lost, error))?),
        totals: Totals {
            manifests: 0,
            objects: 0,
            bytes: 0,
            lost: 0,
            digest: Hash::of(b""),
        },
    };
    backup.out.small(HEADER, &json(&header)?)?;
    for table in &header.tables {
        let name = format!("{ROWS}{}{ROWS_END}", table.name);
        backup.spooled(&name, &rows::file(scratch.path(), &table.name))?;
    }
    for prefix in 0..=u8::MAX {
        let needs = marked.needs(prefix)?;
        match backup
            .objects
            .bring(&mut needs.iter().map(|(key, _)| Ok(*key)))
        {
            Err(error) if error.retryable() => return Err(error),
            // What is damaged is told when it comes to it.
            _ => {}
        }
        for (key, need) in needs.iter() {
            backup.content(*key, *need)?;
            super::step("content written");
        }
    }
    let totals = backup.finish(&lost)?;
    Ok(Written { header, totals })
}

/// A backup on its way out.
struct Backup<'a> {
    objects: Arc<dyn Objects>,
    /// What need not be in it: the rows say where it lies.
    adopted: Option<Adopted>,
    out: Writer,
    watch: &'a Watch,
    unread: HashSet<Hash>,
    lost: BufWriter<File>,
    totals: Totals,
}

impl Backup<'_> {
    fn spooled(&mut self, name: &str, path: &Path) -> Result<()> {
        let failed = |error| {
            let what = format!("the records cannot be read from {}", path.display());
            io_error(what, error)
        };
        let mut file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let copied = self.out.copy(name, size, &mut file)?;
        if copied.whole {
            return Ok(());
        }
        Err(Error::fault("the records that were read are cut short"))
    }

    /// Writes one thing of the store.
    fn content(&mut self, key: Key, need: Need) -> Result<()> {
        let written = match self.find(key) {
            Err(error) if error.retryable() => return Err(error),
            Err(_) | Ok(None) => false,
            Ok(Some(Found::Small(bytes))) => {
                self.out.small(&place(folder(key.0), &key.1), &bytes)?;
                self.count(key, bytes.len() as u64);
                true
            }
            Ok(Some(Found::Large(size, mut source))) => self.large(key, size, &mut source)?,
        };
        if !written && !self.is_adopted(key)? {
            self.lose(key, need)?;
        }
        Ok(())
    }

    /// Whether something lies in a bucket of somebody's, where it stays.
    fn is_adopted(&self, (space, hash): Key) -> Result<bool> {
        match &self.adopted {
            Some(adopted) if space == Space::Objects => Ok(adopted.find(&hash)?.is_some()),
            _ => Ok(false),
        }
    }

    fn find(&self, key: Key) -> Result<Option<Found>> {
        let (space, hash) = key;
        // It may be readable by now, but what it names was not found.
        if space == Space::Manifests && self.unread.contains(&hash) {
            return Ok(None);
        }
        let Some(size) = self.objects.size(space, &hash)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        match space {
            Space::Objects if size > SMALL_BYTES => {
                let source = self.objects.open(space, &hash)?;
                return Ok(source.map(|source| Found::Large(size, source)));
            }
            Space::Objects => read_small(&*self.objects, (&hash, size), &mut bytes)?,
            Space::Manifests => {
                let Some(source) = self.objects.open(space, &hash)? else {
                    return Ok(None);
                };
                let failed = |error| io_error(format!("cannot read manifest {hash}"), error);
                let mut source = source.take(MAX_NODE_BYTES);
                source.read_to_end(&mut bytes).map_err(failed)?;
                if !is_node(&hash, &bytes) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Found::Small(bytes)))
    }

    /// Writes content as it is read; returns whether it is what its name says. If not, that is said after it.
    fn large(&mut self, key: Key, size: u64, source: &mut dyn Read) -> Result<bool> {
        let name = place(folder(key.0), &key.1);
        let watch = self.watch;
        let mut source = Watched { source, watch };
        let copied = self.out.copy(&name, size, &mut source)?;
        if copied.whole && copied.hash == key.1 {
            self.totals.objects += 1;
            self.totals.bytes += size;
            return Ok(true);
        }
        self.out.small(&place("damaged", &key.1), b"")?;
        Ok(false)
    }

    fn count(&mut self, key: Key, size: u64) {
        match key.0 {
            Space::Objects => self.totals.objects += 1,
            Space::Manifests => self.totals.manifests += 1,
        }
        self.totals.bytes += size;
        (self.watch)(Progress::Done(size));
    }

    fn lose(&mut self, (space, hash): Key, need: Need) -> Result<()> {
        let needed = need == Need::Held;
        self.totals.lost += u64::from(needed);
        let mut line = json(&Lost {
            space: folder(space).to_owned(),
            hash,
            needed,
        })?;
        line.push(b'\n');
        let failed = |error| unspooled(Path::new(LOST), error);
        self.lost.write_all(&line).map_err(failed)
    }

    fn finish(mut self, lost: &Path) -> Result<Totals> {
        self.lost.flush().map_err(|error| unspooled(lost, error))?;
        self.spooled(LOST, lost)?;
        super::step(END);
        let totals = self.totals;
        self.out.finish(|digest| Totals { digest, ..totals })
    }
}

/// Something of the store, found.
enum Found {
    Small(Vec<u8>),
    Large(u64, Box<dyn Source>),
}

/// Tells of what is read.
struct Watched<'a> {
    source: &'a mut dyn Read,
    watch: &'a Watch,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        (self.watch)(Progress::Done(read as u64));
        Ok(read)
    }
}
