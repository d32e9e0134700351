//! Files of JSON, one value a line, as they came: a line may be of any length, and is not read further than a value can be.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::objects::io_error;
use crate::{Error, Result};

/// The longest line, without its end.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;

/// A file of values, of which one is in memory.
pub(super) struct Lines<T> {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    of: PhantomData<T>,
}

impl<T> Lines<T> {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| unread(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            line: Vec::new(),
            number: 0,
            of: PhantomData,
        })
    }

    /// How long the line was that was read last.
    pub(super) fn length(&self) -> usize {
        self.line.len()
    }

    fn wrong(&self, why: &str) -> Error {
        let name = self.path.file_name().unwrap_or_default();
        Error::invalid(format!(
            "line {} of {} in the backup {why}",
            self.number,
            name.to_string_lossy()
        ))
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line.clear();
        self.number += 1;
        let mut file = self.file.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        match file.read_until(b'\n', &mut self.line) {
            Ok(0) => None,
            Ok(_) if self.line.len() > MAX_LINE_BYTES && !self.line.ends_with(b"\n") => {
                Some(Err(self.wrong("is longer than any that Cairn writes")))
            }
            Ok(_) => Some(
                serde_json::from_slice(&self.line)
                    .map_err(|error| self.wrong(&format!("is not what it should be: {error}"))),
            ),
            Err(error) => Some(Err(unread(&self.path, error))),
        }
    }
}

fn unread(path: &Path, error: std::io::Error) -> Error {
    io_error(
        format!(
            "the records that came cannot be read from {}",
            path.display()
        ),
        error,
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_without_end_is_read_no_further_than_a_record_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"1\n").unwrap();
        // Holes take no room.
        file.set_len(8 << 30).unwrap();
        let mut lines = Lines::<u64>::open(&path).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), 1);
        let refused = lines.next().unwrap().unwrap_err().to_string();
        assert!(refused.contains("line 2 of users.jsonl"), "{refused}");
        assert!(refused.contains("longer than any"), "{refused}");
        assert_eq!(lines.length(), MAX_LINE_BYTES + 1);
    }
}
