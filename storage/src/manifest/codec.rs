//! Numbers and strings of the manifest formats: LEB128 varints, length-prefixed bytes. Reading never panics and never over-allocates.

use crate::Result;
use crate::objects::{Hash, corrupt};

/// Appends a varint.
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Appends bytes with their length before them.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads a node front to back.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| corrupt("a manifest node ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads a varint in its shortest form: one value has one encoding, so equal trees have equal digests.
    pub(super) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            let longest = shift == 63;
            if (longest && byte > 1) || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(corrupt("a manifest node holds a bad number"))
    }

    /// Reads a count of things that take at least one byte each.
    pub(super) fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > self.rest.len() {
            return Err(corrupt("a manifest node holds a bad count"));
        }
        Ok(count)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        text(self.bytes()?.to_vec())
    }

    pub(super) fn hash(&mut self) -> Result<Hash> {
        let bytes = self.take(32)?;
        Ok(Hash::from_bytes(
            bytes.try_into().expect("32 bytes were taken"),
        ))
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(corrupt("a manifest node is too long"))
        }
    }
}

pub(super) fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| corrupt("a manifest node holds a name that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number().unwrap(), value);
            reader.end().unwrap();
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 11]] {
            assert!(
                Reader::new(bytes).number().is_err(),
                "{bytes:?} must be refused"
            );
        }
    }
}
