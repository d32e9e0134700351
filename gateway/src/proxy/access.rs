//! One bounded line in the log for each proxied request. Queries, cookies and tokens are never in it; what came from outside has its
//! control characters escaped.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::{Method, StatusCode, uri::PathAndQuery};
use storage::ids::WorkspaceId;

use crate::{log::ACCESS, text};

/// The longest path that is logged, in bytes.
const LONGEST: usize = 512;

/// What is known of a request when its line is written.
pub(super) struct Line {
    pub(super) started: Instant,
    pub(super) client: IpAddr,
    pub(super) method: Method,
    pub(super) target: Option<PathAndQuery>,
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) user: Option<Arc<str>>,
    pub(super) request: RequestId,
}

/// Names a request in the log; written out only when it is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestId {
    process: u64,
    number: u64,
}

/// Gives out request ids that no other process gives out.
#[derive(Debug)]
pub(super) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts a sequence of its own.
    pub(super) fn new() -> Self {
        let mut random = [0; 8];
        // Without randomness ids are still unique within this process.
        let _ = getrandom::fill(&mut random);
        Self {
            process: u64::from_ne_bytes(random),
            next: AtomicU64::new(1),
        }
    }

    pub(super) fn next(&self) -> RequestId {
        RequestId {
            process: self.process,
            number: self.next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 33];
        for (at, digit) in (0..16).zip(&mut text) {
            *digit = hex_digit(self.process >> (60 - 4 * at));
        }
        text[16] = b'-';
        let digits = (67 - (self.number | 1).leading_zeros()) / 4;
        for (at, digit) in (0..digits).rev().zip(&mut text[17..]) {
            *digit = hex_digit(self.number >> (4 * at));
        }
        let length = 17 + digits as usize;
        f.write_str(std::str::from_utf8(&text[..length]).unwrap_or_default())
    }
}

impl Line {
    /// Writes the line, once the head of the answer is known.
    pub(super) fn write(&self, status: StatusCode) {
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let path = self.target.as_ref().map_or("", PathAndQuery::path);
        let workspace = self.workspace.as_ref().map(tracing::field::display);
        tracing::info!(
            target: ACCESS,
            client = %text::address(self.client),
            method = bounded(self.method.as_str(), 16),
            path = %Escaped(bounded(path, LONGEST)),
            status = status.as_u16(),
            duration_us,
            workspace.id = workspace,
            user.name = self.user.as_deref(),
            request.id = %self.request,
            "request"
        );
    }
}

fn hex_digit(number: u64) -> u8 {
    b"0123456789abcdef"[(number & 15) as usize]
}

fn bounded(text: &str, longest: usize) -> &str {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Text whose control characters, quotes and backslashes cannot make it look like another field or line.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self
            .0
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        {
            return f.write_str(self.0);
        }
        write!(f, "{}", self.0.escape_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_make_up_lines() {
        assert_eq!(
            Escaped("/a\r\nx\u{1b}[0m\u{85}").to_string(),
            "/a\\r\\nx\\u{1b}[0m\\u{85}"
        );
        assert_eq!(bounded("aé", 2), "a");
    }

    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::new();
        assert_ne!(ids.next().to_string(), ids.next().to_string());
    }

    #[test]
    fn a_request_id_is_written_in_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 0x1234_5678_9abc, u64::MAX] {
            let id = RequestId {
                process: 0x00ab_cdef_0123_4567,
                number,
            };
            assert_eq!(id.to_string(), format!("00abcdef01234567-{number:x}"));
        }
    }
}
