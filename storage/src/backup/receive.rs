//! Takes a backup in: contents into the store, batch after batch, the rest into a folder, and everything against what the backup says of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::incoming::{Reader, cut_short, damaged};
use super::{END, Header, Incoming, LOST, MAX_NODE_BYTES, ROWS, ROWS_END, Totals, folder, rows};
use crate::Result;
use crate::manifest::is_node;
use crate::objects::{Batch, Hash, Objects, Scratch, Space};

/// What one batch brings into the store, at most, but for the last thing.
const BATCH: usize = 2000;
const BATCH_BYTES: u64 = 512 << 20;
/// The most bytes of the end of a backup.
const MAX_END_BYTES: u64 = 64 << 10;

/// What has come in: contents in the store, rows and the rest in a folder.
pub(super) struct Received {
    pub(super) scratch: Scratch,
    pub(super) totals: Totals,
}

/// A backup as it comes in.
struct Receiving<'a> {
    objects: &'a dyn Objects,
    batch: Box<dyn Batch>,
    in_batch: (usize, u64),
    reader: Reader,
    folder: &'a Path,
    rows: BTreeMap<String, u64>,
    counts: (u64, u64),
    /// Content that is not what its name says; the backup must say so too, at once.
    suspect: Option<Hash>,
}

impl Received {
    /// Takes everything in, to the end of the backup. Blocks.
    pub(super) fn receive(
        objects: &Arc<dyn Objects>,
        scratch: Scratch,
        incoming: Incoming,
    ) -> Result<Self> {
        let mut receiving = Receiving {
            objects: &**objects,
            batch: objects.begin()?,
            in_batch: (0, 0),
            reader: incoming.reader,
            folder: scratch.path(),
            rows: BTreeMap::new(),
            counts: (0, 0),
            suspect: None,
        };
        let totals = receiving.run(&incoming.header)?;
        drop(receiving.batch.commit()?);
        Ok(Self { scratch, totals })
    }
}

impl Receiving<'_> {
    fn run(&mut self, header: &Header) -> Result<Totals> {
        while let Some((name, size)) = self.reader.next()? {
            let what = What::of(&name).ok_or_else(|| damaged("it holds what no backup does"))?;
            if let Some(hash) = self.suspect.take()
                && what != What::Damaged(hash)
            {
                return Err(damaged(&format!("the content {hash} is not what it was")));
            }
            let hash = match what {
                What::Rows(table) => {
                    if !header.tables.iter().any(|known| known.name == table) {
                        return Err(damaged(&format!(
                            "it has rows of {table}, and does not say so at its beginning"
                        )));
                    }
                    let (hash, rows) = self.spool(&rows::file(self.folder, table))?;
                    self.rows.insert(table.to_owned(), rows);
                    hash
                }
                What::Lost => self.spool(&self.folder.join(LOST))?.0,
                What::Thing(Space::Manifests, digest) => self.node(&digest)?,
                What::Thing(Space::Objects, hash) => self.object(hash)?,
                What::Damaged(_) => Hash::of(&self.reader.whole(0)?),
                What::End => return self.end(header),
            };
            self.reader.note(&hash, &name);
            self.go_on(size)?;
        }
        Err(cut_short())
    }

    /// Begins another batch when this one is large enough.
    fn go_on(&mut self, size: u64) -> Result<()> {
        self.in_batch.0 += 1;
        self.in_batch.1 += size;
        if self.in_batch.0 >= BATCH || self.in_batch.1 >= BATCH_BYTES {
            let full = std::mem::replace(&mut self.batch, self.objects.begin()?);
            // Nobody collects what is being restored.
            drop(full.commit()?);
            self.in_batch = (0, 0);
            super::step("batch kept");
        }
        Ok(())
    }

    /// Copies the present file to a place; returns its hash and how many lines it has.
    fn spool(&mut self, path: &Path) -> Result<(Hash, u64)> {
        let failed = |error| super::rows::unspooled(path, error);
        let file = File::create_new(path);
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => damaged("it holds the same rows twice"),
            _ => failed(error),
        })?;
        let mut out = BufWriter::new(file);
        let (mut hasher, mut lines) = (blake3::Hasher::new(), 0);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match self.reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.reader.because(failed(error))),
            };
            let bytes = &buffer[..read];
            hasher.update(bytes);
            lines += bytes
                .iter()
                .map(|byte| u64::from(*byte == b'\n'))
                .sum::<u64>();
            out.write_all(bytes).map_err(failed)?;
        }
        out.flush().map_err(failed)?;
        Ok((hasher.finalize().into(), lines))
    }

    fn node(&mut self, digest: &Hash) -> Result<Hash> {
        let bytes = self.reader.whole(MAX_NODE_BYTES)?;
        if !is_node(digest, &bytes) {
            return Err(damaged(&format!(
                "the manifest {digest} is not what it was"
            )));
        }
        self.batch.put_node(digest, &bytes)?;
        self.counts.0 += 1;
        Ok(Hash::of(&bytes))
    }

    /// What is not what it should be becomes garbage that the next collection takes, or goes with its batch.
    fn object(&mut self, hash: Hash) -> Result<Hash> {
        let put = self.batch.put(&mut self.reader);
        let (found, _) = put.map_err(|error| self.reader.because(error))?;
        if found == hash {
            self.counts.1 += 1;
        } else {
            self.suspect = Some(hash);
        }
        Ok(found)
    }

    /// Compares what came with what the backup says at its end.
    fn end(&mut self, header: &Header) -> Result<Totals> {
        let said = self.reader.whole(MAX_END_BYTES)?;
        let said: Totals = serde_json::from_slice(&said)
            .map_err(|_| damaged("its end is not what was written"))?;
        let rows = header.tables.iter().map(|table| (&table.name, table.rows));
        let is_whole = (said.manifests, said.objects) == self.counts
            && rows.eq(header.tables.iter().filter_map(|table| {
                let found = self.rows.get(&table.name)?;
                Some((&table.name, *found))
            }))
            && self.folder.join(LOST).exists();
        if !is_whole {
            return Err(damaged("not all of what it names is in it"));
        }
        if said.digest != self.reader.digest() {
            return Err(damaged("its digest is not that of what is in it"));
        }
        Ok(said)
    }
}

/// What a file of a backup is.
#[derive(Debug, PartialEq, Eq)]
enum What<'a> {
    Rows(&'a str),
    Thing(Space, Hash),
    Damaged(Hash),
    Lost,
    End,
}

impl<'a> What<'a> {
    fn of(name: &'a str) -> Option<Self> {
        if let Some(table) = name.strip_prefix(ROWS) {
            let table = table.strip_suffix(ROWS_END)?;
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            return table.bytes().all(plain).then_some(Self::Rows(table));
        }
        match name {
            LOST => return Some(Self::Lost),
            END => return Some(Self::End),
            _ => {}
        }
        let mut parts = name.strip_prefix("store/")?.splitn(2, '/');
        let (kind, rest) = (parts.next()?, parts.next()?);
        let (first, more) = rest.split_once('/')?;
        let hash = format!("{first}{more}").parse().ok()?;
        (first.len() == 2).then_some(())?;
        match kind {
            "damaged" => Some(Self::Damaged(hash)),
            kind => [Space::Objects, Space::Manifests]
                .into_iter()
                .find(|space| folder(*space) == kind)
                .map(|space| Self::Thing(space, hash)),
        }
    }
}
