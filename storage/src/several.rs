//! Many small contents in one body: the frame that sending and fetching them share. A frame is the 32 bytes of the hash, eight bytes for the
//! length (little-endian) and the content. Nothing here checks that a content is what its hash says: whoever takes it does.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::objects::Hash;
use crate::{Error, Result};

/// The largest content that goes with others, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
/// What stands before a content.
pub const HEAD_BYTES: usize = 32 + 8;

/// What stands before a content of `length` bytes.
pub fn head(hash: &Hash, length: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..32].copy_from_slice(hash.as_bytes());
    head[32..].copy_from_slice(&length.to_le_bytes());
    head
}

/// Takes the next content off `buffer`, with the hash that it came under, when all of it is there.
///
/// # Errors
/// `Invalid` when it says to have more than [`MAX_BYTES`]: before they are waited for.
pub fn split(buffer: &mut BytesMut) -> Result<Option<(Hash, Bytes)>> {
    let Some((hash, rest)) = buffer.split_first_chunk::<32>() else {
        return Ok(None);
    };
    let Some((length, content)) = rest.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let (hash, length) = (Hash::from_bytes(*hash), u64::from_le_bytes(*length));
    if length > MAX_BYTES {
        return Err(Error::invalid(format!(
            "the object {hash} has more than {MAX_BYTES} bytes: send it alone"
        )));
    }
    let length = match usize::try_from(length) {
        Ok(length) if length <= content.len() => length,
        _ => return Ok(None),
    };
    buffer.advance(HEAD_BYTES);
    Ok(Some((hash, buffer.split_to(length).freeze())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_framed_comes_off_once_it_is_whole() {
        let contents: [&[u8]; 3] = [b"one", b"", b"three"];
        let hash = |content: &[u8]| Hash::of(content);
        let mut whole = Vec::new();
        for content in contents {
            whole.extend_from_slice(&head(&hash(content), content.len() as u64));
            whole.extend_from_slice(content);
        }
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        for byte in whole {
            buffer.extend_from_slice(&[byte]);
            found.extend(split(&mut buffer).unwrap());
        }
        assert!(buffer.is_empty());
        let expected = contents.map(|content| (hash(content), Bytes::copy_from_slice(content)));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_head() {
        for length in [MAX_BYTES + 1, u64::MAX] {
            let mut buffer = BytesMut::from(&head(&Hash::of(b"x"), length)[..]);
            assert!(matches!(split(&mut buffer), Err(Error::Invalid(_))));
        }
        let mut buffer = BytesMut::from(&head(&Hash::of(b"x"), MAX_BYTES)[..]);
        assert!(split(&mut buffer).unwrap().is_none());
    }
}
