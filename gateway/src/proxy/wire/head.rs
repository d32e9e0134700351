//! Heads of messages: a request's is written, an answer's is read. What frames an answer is decided here, and nowhere else.

use std::{io, mem::MaybeUninit};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use hyper::body::Body;

use super::{
    super::headers::names,
    decode::{Decoder, invalid},
    upload::{Framing, Upload},
};

/// The most bytes of an answer's head.
const HEAD: usize = 256 * 1024;
/// The most fields in it.
pub(super) const FIELDS: usize = 100;
/// More than most heads of requests.
const USUAL: usize = 1024;

/// A request as it leaves.
pub(crate) struct Outgoing<B> {
    pub(super) method: Method,
    pub(super) upload: Upload<B>,
    /// Room for the fields of the answer, which the request's have left.
    pub(super) fields: HeaderMap,
}

/// The head of an answer, besides its fields.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) decoder: Decoder,
    /// The server has not said that it closes the connection.
    pub(super) keep: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Outgoing<B> {
    /// Takes a request whose fields `write` turns into those that leave. What frames the body is told by the body, whatever they say:
    /// `write` leaves out `Content-Length` and `Transfer-Encoding`.
    pub(crate) fn new(parts: Parts, body: B, write: impl FnOnce(&HeaderMap, &mut Vec<u8>)) -> Self {
        let upload = encode(&parts, body, write);
        let mut fields = parts.headers;
        fields.clear();
        Self {
            method: parts.method,
            upload,
            fields,
        }
    }
}

fn encode<B>(parts: &Parts, body: B, write: impl FnOnce(&HeaderMap, &mut Vec<u8>)) -> Upload<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    let framing = match body.size_hint().exact() {
        Some(length) => Framing::Length(length),
        None if body.is_end_stream() => Framing::Length(0),
        None => Framing::Chunked,
    };
    let mut line = Vec::with_capacity(USUAL);
    let target = parts.uri.path_and_query();
    for piece in [
        parts.method.as_str(),
        " ",
        target.map_or("/", http::uri::PathAndQuery::as_str),
        " HTTP/1.1\r\n",
    ] {
        line.extend_from_slice(piece.as_bytes());
    }
    write(&parts.headers, &mut line);
    match framing {
        Framing::Length(0) if !parts.headers.contains_key(header::CONTENT_LENGTH) => {}
        Framing::Length(length) => {
            field(&mut line, "content-length", length.to_string().as_bytes());
        }
        Framing::Chunked => field(&mut line, "transfer-encoding", b"chunked"),
    }
    line.extend_from_slice(b"\r\n");
    Upload::new(line, body, framing)
}

/// Writes a field.
pub(crate) fn field(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b": ");
    line.extend_from_slice(value);
    line.extend_from_slice(b"\r\n");
}

/// Takes the head of an answer to a `method` request out of `received`, once it is complete. Its fields are added to `fields`. `seen`
/// bytes were there when it was last asked, so that a head that comes byte by byte costs no more than another.
pub(super) fn decode(
    received: &mut BytesMut,
    seen: usize,
    method: &Method,
    fields: &mut HeaderMap,
) -> io::Result<Option<Head>> {
    if received.is_empty() || (seen > 0 && !may_end(&received[seen.saturating_sub(3)..])) {
        return bounded(received);
    }
    // Empty lines may stand before a request, not before an answer (RFC 9112 section 2.2), and would be read again with every byte.
    if matches!(received.first(), Some(b'\r' | b'\n')) {
        return Err(invalid("an answer begins with an empty line"));
    }
    let mut places = [const { MaybeUninit::uninit() }; FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, received, &mut places)
        .map_err(|_| invalid("the head of an answer is malformed"))?;
    let httparse::Status::Complete(length) = parsed else {
        return bounded(received);
    };
    if length > HEAD {
        return Err(invalid("the head of an answer is too long"));
    }
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| invalid("an answer has no status"))?;
    let persistent = response.version == Some(1);
    read(&received[..length], response.headers, fields)?;
    received.advance(length);
    Ok(Some(Head {
        status,
        decoder: framing(status, method, persistent, fields)?,
        keep: keeps(persistent, fields),
    }))
}

/// Adds what was parsed of `head` to `fields`. All values share one copy of it.
fn read(head: &[u8], parsed: &[httparse::Header<'_>], fields: &mut HeaderMap) -> io::Result<()> {
    let malformed = || invalid("a field of an answer is malformed");
    let copy = Bytes::copy_from_slice(head);
    for one in parsed {
        let name = HeaderName::from_bytes(one.name.as_bytes()).map_err(|_| malformed())?;
        let start = one.value.as_ptr() as usize - head.as_ptr() as usize;
        let value = copy.slice(start..start + one.value.len());
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| malformed())?;
        fields.append(name, value);
    }
    Ok(())
}

/// How the end of an answer is told: RFC 9112 section 6.3, without what "ought to be handled as an error" there.
fn framing(
    status: StatusCode,
    method: &Method,
    persistent: bool,
    fields: &mut HeaderMap,
) -> io::Result<Decoder> {
    if status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || *method == Method::HEAD
    {
        return Ok(Decoder::Done);
    }
    let length = length(fields)?;
    if let Some(length) = length
        && !is_plain(fields)
    {
        fields.insert(header::CONTENT_LENGTH, length.into());
    }
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(match length {
            Some(0) => Decoder::Done,
            Some(length) => Decoder::Length(length),
            None => Decoder::UntilClosed,
        });
    };
    // We ask for no other coding, and would have to undo it: the field does not go on to the client.
    let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
    if !chunked || length.is_some() || !persistent {
        return Err(invalid("the framing of an answer is ambiguous"));
    }
    Ok(Decoder::chunked())
}

/// The one length that all `Content-Length` fields tell.
fn length(fields: &HeaderMap) -> io::Result<Option<u64>> {
    let wrong = || invalid("the length of an answer is no number, or several");
    let mut length = None;
    for value in fields.get_all(header::CONTENT_LENGTH) {
        for text in value.as_bytes().split(|byte| *byte == b',') {
            let text = text.trim_ascii();
            if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
                return Err(wrong());
            }
            let told: Option<u64> = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok());
            let told = told.ok_or_else(wrong)?;
            if length.is_some_and(|length| length != told) {
                return Err(wrong());
            }
            length = Some(told);
        }
    }
    Ok(length)
}

/// Whether a length is told once. Told again, or in a list, it would not be understood by all (RFC 9110 section 8.6).
fn is_plain(fields: &HeaderMap) -> bool {
    let mut values = fields.get_all(header::CONTENT_LENGTH).iter();
    let is_one = values
        .next()
        .is_none_or(|value| !value.as_bytes().contains(&b','));
    is_one && values.next().is_none()
}

/// Whether the connection stays open after the answer: RFC 9112 section 9.3.
fn keeps(persistent: bool, fields: &HeaderMap) -> bool {
    let connection = &header::CONNECTION;
    if !fields.contains_key(connection) {
        return persistent;
    }
    !names(fields, connection, "close") && (persistent || names(fields, connection, "keep-alive"))
}

fn bounded(received: &BytesMut) -> io::Result<Option<Head>> {
    if received.len() >= HEAD {
        return Err(invalid("the head of an answer is too long"));
    }
    Ok(None)
}

/// Whether these bytes may be the last of a head.
fn may_end(bytes: &[u8]) -> bool {
    let ends = |window: &[u8]| window.starts_with(b"\n\n") || window == b"\n\r\n";
    bytes.windows(3).any(ends) || bytes.ends_with(b"\n\n")
}
