//! Canonical request paths. One reading of a path serves the route, the authorisation and the bytes sent on; a path that could be
//! read in two ways is refused. It knows no HTTP types and asks nobody.

use storage::ids::WorkspaceId;

/// The longest path, in bytes, that is looked at.
const LONGEST: usize = 16 * 1024;

/// A path below `/w/{workspace_id}`, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspacePath {
    /// The workspace that the path names.
    pub workspace: WorkspaceId,
    /// What follows `/w/{workspace_id}/`, percent-decoded, runs of `/` collapsed; `None` where even that slash is missing.
    /// For decisions only: what is sent on are the bytes that came.
    pub rest: Option<String>,
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Something in a workspace.
    Workspace(WorkspacePath),
    /// Anything that does not begin with `/w/`.
    Other,
}

/// Why a path is refused. The text is for the person who made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not begin with `/`, or is not ASCII, or is too long.
    #[error("the path is malformed")]
    Malformed,
    /// A `%` that is not followed by two hexadecimal digits, or bytes that are not UTF-8 once decoded.
    #[error("the path's percent-encoding is malformed")]
    Encoding,
    /// A control character, written out or encoded.
    #[error("the path contains a control character")]
    Control,
    /// `.` or `..` as a segment in any spelling, a backslash, or an empty segment before the workspace's part.
    #[error("the path is ambiguous")]
    Ambiguous,
    /// `/w/` followed by something that is no workspace id.
    #[error("there is no such workspace")]
    NoWorkspace,
}

/// Reads the path of a request, as it came on the wire, without its query.
///
/// # Errors
/// Every spelling that two readers could take for two paths: see [`Error`].
pub fn read(raw: &str) -> Result<Target, Error> {
    if !raw.starts_with('/') || !raw.is_ascii() || raw.len() > LONGEST {
        return Err(Error::Malformed);
    }
    // Most paths can be read in one way only; the others are compared in their decoded form, so that `/%77/…` is not another way in.
    let decoded;
    let path = if is_plain(raw) {
        raw
    } else {
        decoded = decode(raw)?;
        let path = decoded.as_deref().unwrap_or(raw);
        refuse_ambiguity(raw, path)?;
        path
    };
    let Some(below) = path.strip_prefix("/w/") else {
        return if path.starts_with("//") {
            Err(Error::Ambiguous)
        } else {
            Ok(Target::Other)
        };
    };
    let (id, rest) = match below.split_once('/') {
        Some((id, rest)) => (id, Some(rest)),
        None => (below, None),
    };
    let workspace = id.parse().map_err(|_| Error::NoWorkspace)?;
    // The prefix must also be literal in the bytes that are sent on, its slashes included.
    let literal = raw.strip_prefix("/w/").and_then(|raw| raw.strip_prefix(id));
    if !literal.is_some_and(|raw| raw.is_empty() || raw.starts_with('/')) {
        return Err(Error::Ambiguous);
    }
    Ok(Target::Workspace(WorkspacePath {
        workspace,
        rest: rest.map(collapse),
    }))
}

impl WorkspacePath {
    /// Whether the rest of the path is `prefix` or lies below it. `prefix` has no slash at its end.
    pub fn is_below(&self, prefix: &str) -> bool {
        let Some(rest) = self.rest.as_deref() else {
            return false;
        };
        rest.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Whether there is nothing to decode or to refuse: found out in one pass, because nearly every path is like that.
fn is_plain(raw: &str) -> bool {
    let mut before = 0;
    raw.bytes().all(|byte| {
        let hidden = byte == b'.' && before == b'/';
        before = byte;
        byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\') && !hidden
    })
}

/// The decoded form, or `None` where the raw one has nothing to decode.
fn decode(raw: &str) -> Result<Option<String>, Error> {
    if !raw.contains('%') {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = rest.next().and_then(hex_digit).ok_or(Error::Encoding)?;
        let low = rest.next().and_then(hex_digit).ok_or(Error::Encoding)?;
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::Encoding)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn refuse_ambiguity(raw: &str, decoded: &str) -> Result<(), Error> {
    let is_control = if decoded.is_ascii() {
        decoded.bytes().any(|byte| byte.is_ascii_control())
    } else {
        decoded.chars().any(char::is_control)
    };
    if is_control {
        return Err(Error::Control);
    }
    if raw.contains('\\') {
        return Err(Error::Ambiguous);
    }
    let hidden = |pair: &[u8]| matches!(pair, [b'/' | b'\\', b'.']);
    if !decoded.as_bytes().windows(2).any(hidden) {
        return Ok(());
    }
    // An encoded backslash is an ordinary character of a file name on Linux, but no server may take it for a separator; the same
    // holds for parameters after `;`, which some servers cut off before they look at dots.
    let is_dots = |segment: &str| {
        let name = segment.split(';').next().unwrap_or_default();
        name == "." || name == ".."
    };
    if decoded.split(['/', '\\']).any(is_dots) {
        return Err(Error::Ambiguous);
    }
    Ok(())
}

fn collapse(rest: &str) -> String {
    if !rest.starts_with('/') && !rest.contains("//") {
        return rest.to_owned();
    }
    let mut collapsed = String::with_capacity(rest.len());
    for character in rest.chars() {
        if character == '/' && (collapsed.is_empty() || collapsed.ends_with('/')) {
            continue;
        }
        collapsed.push(character);
    }
    collapsed
}

#[cfg(test)]
mod tests;
