//! What is mounted where, as this process sees it.
//!
//! Source: proc(5), `mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) place: PathBuf,
    /// The type of its file system.
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) read_only: bool,
}

/// The mounts below a folder, whose path has no symbolic links, in the order in which they were made.
pub(super) fn below(folder: &Path) -> io::Result<Vec<Mounted>> {
    let table = fs::read("/proc/self/mountinfo")?;
    let lines = table.split(|byte| *byte == b'\n').filter_map(parse);
    Ok(lines
        .filter(|mounted| mounted.place.starts_with(folder) && mounted.place != folder)
        .collect())
}

fn parse(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let place = unescape(fields.nth(4)?);
    let options = fields.next()?;
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let text = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
    Some(Mounted {
        kind: text(fields.next()?),
        source: text(fields.next()?),
        read_only: options.split(|byte| *byte == b',').any(|one| one == b"ro"),
        place: OsString::from_vec(place).into(),
    })
}

/// Spaces and the like are written as a backslash and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let line = br"36 35 98:0 /mnt1 /mnt\0402/a\134b ro,noatime master:1 - overlay a\040name rw,errors=continue";
        let expected = Mounted {
            place: "/mnt 2/a\\b".into(),
            kind: "overlay".into(),
            source: "a name".into(),
            read_only: true,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"36 35 98:0 / /x rw"), None);
    }
}
