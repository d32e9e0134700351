//! The archive as a file: tar entries of known sizes, hashed as they are written, and packed where that was asked for.

use std::io::{self, BufWriter, Read, Write};

use super::{Output, Totals};
use crate::Result;
use crate::objects::{Hash, io_error};

const BUFFER_BYTES: usize = 256 * 1024;
const LEVEL: i32 = 3;

/// An archive being written.
pub(super) struct Writer {
    tar: tar::Builder<Packing>,
    /// Of the lines that `b3sum` would give.
    lines: blake3::Hasher,
    created_s: u64,
}

/// Where the bytes go.
enum Packing {
    Plain(BufWriter<Output>),
    Packed(Box<zstd::Encoder<'static, BufWriter<Output>>>),
}

impl Write for Packing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

/// What was written of something that was read as it came.
pub(super) struct Copied {
    /// Of what was written.
    pub(super) hash: Hash,
    /// Whether all of it could be read; zeros stand for the rest.
    pub(super) whole: bool,
}

impl Writer {
    pub(super) fn new(out: Output, packed: bool, created_ms: i64) -> Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        let packing = if packed {
            Packing::Packed(Box::new(zstd::Encoder::new(out, LEVEL).map_err(failed)?))
        } else {
            Packing::Plain(out)
        };
        Ok(Self {
            tar: tar::Builder::new(packing),
            lines: blake3::Hasher::new(),
            created_s: u64::try_from(created_ms / 1000).unwrap_or_default(),
        })
    }

    /// Writes a file that is in memory.
    pub(super) fn small(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.copy(name, bytes.len() as u64, &mut &*bytes).map(drop)
    }

    /// Writes a file of `size` bytes as it is read.
    pub(super) fn copy(&mut self, name: &str, size: u64, from: &mut dyn Read) -> Result<Copied> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.created_s);
        let mut exact = Exact {
            from,
            left: size,
            whole: true,
            hasher: blake3::Hasher::new(),
        };
        let written = self.tar.append_data(&mut header, name, &mut exact);
        written.map_err(failed)?;
        let (hash, whole) = (Hash::from(exact.hasher.finalize()), exact.whole);
        self.lines.update(format!("{hash}  {name}\n").as_bytes());
        Ok(Copied { hash, whole })
    }

    /// Writes the end, after which everything has been handed on.
    pub(super) fn finish(mut self, totals: impl FnOnce(Hash) -> Totals) -> Result<Totals> {
        let totals = totals(self.lines.finalize().into());
        self.small(super::END, &super::json(&totals)?)?;
        let mut out = match self.tar.into_inner().map_err(failed)? {
            Packing::Plain(out) => out,
            Packing::Packed(out) => out.finish().map_err(failed)?,
        };
        out.flush().map_err(failed)?;
        Ok(totals)
    }
}

/// Reads exactly as much as was said: an entry has its size before it.
struct Exact<'a> {
    from: &'a mut dyn Read,
    left: u64,
    whole: bool,
    hasher: blake3::Hasher,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..most];
        let read = match self.whole.then(|| self.from.read(buffer)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Some(Ok(read @ 1..)) => read,
            _ => {
                self.whole = false;
                buffer.fill(0);
                most
            }
        };
        self.left -= read as u64;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

fn failed(error: io::Error) -> crate::Error {
    io_error("the backup cannot be written", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_to_its_end_is_filled_up() {
        for (content, size, whole) in [("abc", 3, true), ("abcdef", 3, true), ("abc", 5, false)] {
            let mut exact = Exact {
                from: &mut content.as_bytes(),
                left: size,
                whole: true,
                hasher: blake3::Hasher::new(),
            };
            let mut out = Vec::new();
            exact.read_to_end(&mut out).unwrap();
            assert_eq!((out.len() as u64, exact.whole), (size, whole));
            assert_eq!(&out[..3], b"abc");
        }
    }
}
