//! The body of an answer, taken out of the bytes that were received. It reads nothing and holds nothing back.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Frame, SizeHint};

use super::head::FIELDS;

/// The longest line before a chunk, with what extends it, in bytes.
const LINE: usize = 4 * 1024;
/// The longest trailers, in bytes.
const TRAILERS: usize = 16 * 1024;
/// Pieces up to this long are copied, so that they do not hold on to the buffer they came in.
const SMALL: usize = 1024;

/// Where in an answer a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    /// Before its head.
    Head,
    /// In a body that has this many bytes to come, at least one.
    Length(u64),
    /// In a body in chunks.
    Chunked(Chunk),
    /// In a body that the end of the connection ends.
    UntilClosed,
    /// After the answer.
    Done,
}

/// Where in a body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Line,
    /// This many bytes are to come, at least one.
    Data(u64),
    /// The end of the line after the bytes.
    End,
    Trailers,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Step {
    Frame(Frame<Bytes>),
    /// More bytes are needed.
    More,
    End,
}

/// An answer that is not as it must be.
pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Decoder {
    /// At the beginning of a body in chunks.
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Line)
    }

    /// Takes the next piece out of `received`.
    pub(super) fn decode(&mut self, received: &mut BytesMut) -> io::Result<Step> {
        match *self {
            Self::Done => Ok(Step::End),
            Self::Head => Err(invalid("a body before its head")),
            Self::UntilClosed | Self::Length(_) if received.is_empty() => Ok(Step::More),
            Self::UntilClosed => Ok(Step::Frame(Frame::data(take(received, u64::MAX).0))),
            Self::Length(left) => {
                let (data, left) = take(received, left);
                *self = if left == 0 {
                    Self::Done
                } else {
                    Self::Length(left)
                };
                Ok(Step::Frame(Frame::data(data)))
            }
            Self::Chunked(chunk) => self.decode_chunk(chunk, received),
        }
    }

    /// The connection has ended: whether the answer has, too.
    pub(super) fn closed(&mut self) -> io::Result<()> {
        if *self != Self::UntilClosed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *self = Self::Done;
        Ok(())
    }

    /// How much is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match *self {
            Self::Done => SizeHint::with_exact(0),
            Self::Length(left) => SizeHint::with_exact(left),
            Self::Head | Self::Chunked(_) | Self::UntilClosed => SizeHint::default(),
        }
    }

    fn decode_chunk(&mut self, mut chunk: Chunk, received: &mut BytesMut) -> io::Result<Step> {
        loop {
            let next = match chunk {
                Chunk::Line => line(received)?.map(|size| match size {
                    0 => Chunk::Trailers,
                    size => Chunk::Data(size),
                }),
                Chunk::Data(_) if received.is_empty() => None,
                Chunk::Data(left) => {
                    let (data, left) = take(received, left);
                    *self = Self::Chunked(if left == 0 {
                        Chunk::End
                    } else {
                        Chunk::Data(left)
                    });
                    return Ok(Step::Frame(Frame::data(data)));
                }
                Chunk::End => end(received)?.then_some(Chunk::Line),
                Chunk::Trailers => {
                    let Some(trailers) = trailers(received)? else {
                        return Ok(Step::More);
                    };
                    *self = Self::Done;
                    return Ok(if trailers.is_empty() {
                        Step::End
                    } else {
                        Step::Frame(Frame::trailers(trailers))
                    });
                }
            };
            let Some(next) = next else {
                return Ok(Step::More);
            };
            chunk = next;
            *self = Self::Chunked(chunk);
        }
    }
}

/// Takes up to `left` bytes, and says how many are left then.
fn take(received: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let length = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(received.len());
    let data = if length <= SMALL {
        let data = Bytes::copy_from_slice(&received[..length]);
        received.advance(length);
        data
    } else {
        received.split_to(length).freeze()
    };
    (data, left - length as u64)
}

/// Takes the line before a chunk: how many bytes it has. What extends it means nothing to us, and does not go on.
fn line(received: &mut BytesMut) -> io::Result<Option<u64>> {
    let malformed = || invalid("the size of a chunk is malformed");
    let start = &received[..received.len().min(LINE)];
    let Some(length) = start.iter().position(|byte| *byte == b'\n') else {
        return if start.len() == LINE {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let line = start[..length].strip_suffix(b"\r").ok_or_else(malformed)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(digits.count());
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let rest = &rest[blanks..];
    let extends = rest.is_empty() || rest.starts_with(b";");
    let sound = !rest
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t');
    // Sixteen digits could tell more than any counter holds.
    if !extends || !sound || digits.is_empty() || digits.len() > 15 {
        return Err(malformed());
    }
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let size = size.ok_or_else(malformed)?;
    received.advance(length + 1);
    Ok(Some(size))
}

/// Takes the end of the line after a chunk's bytes, once it is there.
fn end(received: &mut BytesMut) -> io::Result<bool> {
    let there = received.len().min(2);
    if received[..there] != b"\r\n"[..there] {
        return Err(invalid("a chunk is longer than it said"));
    }
    if there == 2 {
        received.advance(2);
    }
    Ok(there == 2)
}

/// Takes the trailers, once they are complete.
fn trailers(received: &mut BytesMut) -> io::Result<Option<HeaderMap>> {
    let malformed = || invalid("the trailers of an answer are malformed");
    let mut places = [httparse::EMPTY_HEADER; FIELDS];
    let mut fields = HeaderMap::new();
    let parsed = httparse::parse_headers(received, &mut places).map_err(|_| malformed())?;
    let httparse::Status::Complete((length, parsed)) = parsed else {
        return if received.len() >= TRAILERS {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let mut lines = received[..length].split(|byte| *byte == b'\n').rev();
    lines.next();
    if length > TRAILERS || !lines.all(|line| line.ends_with(b"\r")) {
        return Err(malformed());
    }
    for one in parsed {
        let name = HeaderName::from_bytes(one.name.as_bytes()).map_err(|_| malformed())?;
        let value = HeaderValue::from_bytes(one.value).map_err(|_| malformed())?;
        fields.append(name, value);
    }
    received.advance(length);
    Ok(Some(fields))
}
