//! How files that nobody vouches for are sent: types on an allow-list may be shown, everything else is a download, nothing is a page.

use std::ops::Range;

use axum::{body::Body, response::Response};
use control::page::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{assets::matches_etag, error::ApiError};

/// What is to be sent.
pub(crate) struct Content<'a> {
    /// The last segment of its path.
    pub(crate) name: &'a str,
    /// Its whole size.
    pub(crate) bytes: u64,
    /// Its hash, which is its `ETag`.
    pub(crate) hash: &'a str,
    /// Send as a download whatever its type.
    pub(crate) download: bool,
}

/// What part of the content the client asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nothing: the client has it.
    NotModified,
    /// All of it.
    Whole,
    /// These bytes of it.
    Range(Range<u64>),
}

/// Which part of the content to read.
///
/// One range is honoured; several, or a unit that is not bytes, get the whole. `If-Range` holds for the exact `ETag` only.
///
/// # Errors
/// 416 where the range begins at or after the end.
///
/// Source: RFC 9110 sections 13.1.5, 14.1.2 and 14.2.
pub(crate) fn part(headers: &HeaderMap, content: &Content<'_>) -> Result<Part, ApiError> {
    if matches_etag(headers, &etag(content.hash)) {
        return Ok(Part::NotModified);
    }
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok());
    let fresh = headers
        .get(header::IF_RANGE)
        .is_none_or(|tag| tag.as_bytes() == etag(content.hash).as_bytes());
    match range
        .filter(|_| fresh)
        .map(|range| parse(range, content.bytes))
    {
        None | Some(Asked::Ignored) => Ok(Part::Whole),
        Some(Asked::Range(range)) => Ok(Part::Range(range)),
        Some(Asked::Outside) => Err(ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            "The file ends before this range.",
        )
        .with_header(
            header::CONTENT_RANGE,
            visible(format!("bytes */{}", content.bytes)),
        )),
    }
}

/// The response that carries `body`, which is exactly `part` of the content.
pub(crate) fn respond(content: &Content<'_>, part: &Part, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let shown = if content.download {
        None
    } else {
        inline_type(content.name)
    };
    let kind = shown.unwrap_or("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let way = if shown.is_some() {
        "inline"
    } else {
        "attachment"
    };
    headers.insert(header::CONTENT_DISPOSITION, disposition(way, content.name));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, visible(etag(content.hash)));
    let length = match part {
        Part::NotModified => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        Part::Whole => content.bytes,
        Part::Range(range) => {
            let last = range.end.saturating_sub(1);
            let line = format!("bytes {}-{last}/{}", range.start, content.bytes);
            headers.insert(header::CONTENT_RANGE, visible(line));
            range.end - range.start
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if matches!(part, Part::Range(_)) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// An answer of bytes that are for programs.
pub(crate) fn octets(body: Body) -> Response {
    let mut response = Response::new(body);
    let fields = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that shows what other people's code put out: it runs in an origin of its own, without a network.
pub(crate) fn page(body: Body) -> Response {
    let mut response = Response::new(body);
    let fields = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

enum Asked {
    Ignored,
    Outside,
    Range(Range<u64>),
}

fn parse(range: &str, bytes: u64) -> Asked {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
    else {
        return Asked::Ignored;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => bytes.saturating_sub(suffix)..bytes,
        (Some(first), None) if last.is_empty() => first..bytes,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(bytes),
        _ => return Asked::Ignored,
    };
    if range.start >= range.end {
        Asked::Outside
    } else {
        Asked::Range(range)
    }
}

fn etag(hash: &str) -> String {
    format!("\"{hash}\"")
}

/// The type under which a file may be shown in the browser. No markup that can carry script is here: HTML, SVG and XML download.
fn inline_type(name: &str) -> Option<&'static str> {
    let (_, suffix) = name.rsplit_once('.')?;
    let kind = match suffix.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "json" | "jsonl" | "ndjson" | "ipynb" => "application/json",
        "txt" | "log" | "md" | "rst" | "csv" | "tsv" | "py" | "r" | "jl" | "sh" | "rs" | "c"
        | "h" | "cpp" | "js" | "ts" | "yaml" | "yml" | "toml" | "ini" | "cfg" | "tex" | "sql"
        | "diff" | "patch" => "text/plain; charset=utf-8",
        _ => return None,
    };
    Some(kind)
}

/// `Content-Disposition` for a name of any bytes.
///
/// Source: RFC 6266 section 4.3, RFC 8187 section 3.2.
fn disposition(way: &str, name: &str) -> HeaderValue {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
    let plain: String = name
        .chars()
        .map(|character| match character {
            ' '..='~' if !matches!(character, '"' | '\\' | '%' | '/' | ';') => character,
            _ => '_',
        })
        .collect();
    visible(format!(
        "{way}; filename=\"{plain}\"; filename*=UTF-8''{}",
        utf8_percent_encode(name, KEPT)
    ))
}

fn visible(line: String) -> HeaderValue {
    HeaderValue::try_from(line).expect("made of visible ASCII only")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 10;

    fn content(name: &str) -> Content<'_> {
        Content {
            name,
            bytes: BYTES,
            hash: "abc",
            download: false,
        }
    }

    fn asked(pairs: &[(http::HeaderName, &'static str)]) -> Result<Part, u16> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        part(&headers, &content("x")).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let range = |text| asked(&[(header::RANGE, text)]);
        assert_eq!(range("bytes=0-3"), Ok(Part::Range(0..4)));
        assert_eq!(range("bytes=4-"), Ok(Part::Range(4..10)));
        assert_eq!(range("bytes=-3"), Ok(Part::Range(7..10)));
        assert_eq!(range("bytes=-99"), Ok(Part::Range(0..10)));
        assert_eq!(
            range("bytes=8-99999999999999999999999"),
            Ok(Part::Range(8..10))
        );
        for whole in [
            "bytes=3-1",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=a-b",
            "bytes=",
            "bytes=+1-2",
            "bytes=--1",
        ] {
            assert_eq!(range(whole), Ok(Part::Whole), "{whole}");
        }
        assert_eq!(range("bytes=10-"), Err(416));
        assert_eq!(range("bytes=-0"), Err(416));
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let part = asked(&[(header::RANGE, "bytes=0-3"), (header::IF_RANGE, "\"old\"")]);
        assert_eq!(part, Ok(Part::Whole));
        let part = asked(&[(header::RANGE, "bytes=0-3"), (header::IF_RANGE, "\"abc\"")]);
        assert_eq!(part, Ok(Part::Range(0..4)));
        assert_eq!(
            asked(&[(header::IF_NONE_MATCH, "\"abc\"")]),
            Ok(Part::NotModified)
        );
    }

    #[test]
    fn markup_is_always_a_download_and_everything_is_sandboxed() {
        for name in [
            "a.html",
            "a.svg",
            "a.xhtml",
            "a.xml",
            "a.pdf",
            "a",
            "a.HTM",
            "a.png.html",
            ".png/x",
        ] {
            let response = respond(&content(name), &Part::Whole, Body::empty());
            let headers = response.headers();
            assert_eq!(
                headers["content-type"], "application/octet-stream",
                "{name}"
            );
            assert!(
                headers["content-disposition"]
                    .to_str()
                    .unwrap()
                    .starts_with("attachment")
            );
        }
        let response = respond(&content("loss.PNG"), &Part::Whole, Body::empty());
        assert_eq!(response.headers()["content-type"], "image/png");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(
            response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("sandbox")
        );
    }

    #[test]
    fn a_hostile_name_cannot_leave_its_header() {
        let header = disposition("attachment", "a\"; filename=\"b\r\nX: y/é");
        let line = header.to_str().unwrap();
        assert_eq!(
            line,
            "attachment; filename=\"a__ filename=_b__X: y__\"; filename*=UTF-8''a%22%3B%20filename%3D%22b%0D%0AX%3A%20y%2F%C3%A9"
        );
    }
}
