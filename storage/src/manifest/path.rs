//! The rules a path in a manifest keeps, and the watch that no path is both a file and a folder.

use crate::{Error, Result};

/// The longest path in bytes.
pub const MAX_PATH_BYTES: usize = 4096;
/// The longest component in bytes.
pub const MAX_COMPONENT_BYTES: usize = 255;
/// The most components.
pub const MAX_DEPTH: usize = 64;

/// Checks a path for a manifest: relative, no empty, `.` or `..` component, no NUL, within the limits above.
///
/// Everything else is a name like any other, also newlines, backslashes and `C:`: manifests are for systems where these are names.
///
/// # Errors
/// `Invalid`, saying what is wrong and with which path.
pub fn check_path(path: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::invalid(format!(
            "the path {:?} {why}",
            shorten(path)
        )))
    };
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.len() > MAX_PATH_BYTES {
        return refuse("is longer than 4096 bytes");
    }
    if path.contains('\0') {
        return refuse("holds a NUL");
    }
    if path.starts_with('/') {
        return refuse("is not relative");
    }
    let mut depth = 0;
    for component in path.split('/') {
        depth += 1;
        match component {
            "" => return refuse("has an empty component"),
            "." | ".." => return refuse("has a component . or .."),
            long if long.len() > MAX_COMPONENT_BYTES => {
                return refuse("has a component longer than 255 bytes");
            }
            _ => {}
        }
    }
    if depth > MAX_DEPTH {
        return refuse("is deeper than 64 folders");
    }
    Ok(())
}

/// Checks the text of a symbolic link: 1 to 4096 bytes without NUL. Where it points does not matter, as nothing follows it.
pub(crate) fn check_target(target: &str) -> Result<()> {
    if target.is_empty() || target.len() > MAX_PATH_BYTES || target.contains('\0') {
        return Err(Error::invalid(
            "the target of a symbolic link is empty, too long or holds a NUL",
        ));
    }
    Ok(())
}

fn shorten(path: &str) -> &str {
    let mut end = path.len().min(200);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}

/// Watches paths that come in ascending order.
///
/// Holds the earlier paths that are prefixes of the current one: in sorted order these are the only ones that can be its folders, also when
/// others (`a`, `a.b`, `a/b`) come between.
#[derive(Default)]
pub(crate) struct Order {
    last: Option<String>,
    prefixes: Vec<String>,
}

impl Order {
    /// Accepts the next path.
    ///
    /// # Errors
    /// `Invalid` when it breaks a rule, does not come after the last one, or lies in a folder that is a file.
    pub(crate) fn next(&mut self, path: &str) -> Result<()> {
        check_path(path)?;
        if let Some(last) = self.last.take() {
            if path.as_bytes() <= last.as_bytes() {
                return Err(Error::invalid(format!(
                    "the path {path:?} comes twice or out of order"
                )));
            }
            self.prefixes.push(last);
        }
        while self
            .prefixes
            .last()
            .is_some_and(|prefix| !path.starts_with(prefix.as_str()))
        {
            self.prefixes.pop();
        }
        let file = self
            .prefixes
            .iter()
            .find(|prefix| path.as_bytes().get(prefix.len()) == Some(&b'/'));
        if let Some(file) = file {
            return Err(Error::invalid(format!(
                "the path {file:?} is both a file and a folder"
            )));
        }
        self.last = Some(path.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_tricks_are_refused() {
        let long = "x".repeat(256);
        let deep = vec!["d"; 1000].join("/");
        let wide = format!("{}/x", vec!["y".repeat(200); 25].join("/"));
        let tricks = [
            "",
            "/abs",
            "../x",
            "a/../../b",
            "a//b",
            "./a",
            "a/.",
            "a/",
            "a\0b",
            "..",
            long.as_str(),
            deep.as_str(),
            wide.as_str(),
        ];
        for path in tricks {
            assert!(check_path(path).is_err(), "{path:?} must be refused");
        }
    }

    #[test]
    fn odd_names_are_names() {
        let longest = "x".repeat(255);
        for path in [
            "a\nb",
            "a\\b",
            "C:\\x",
            "CON",
            "\u{202e}txt.exe",
            "😀",
            "...",
            "..a",
            " ",
            longest.as_str(),
            "é",
            "e\u{301}",
        ] {
            check_path(path).unwrap();
        }
    }

    fn accept(paths: &[&str]) -> Result<()> {
        let mut order = Order::default();
        paths.iter().try_for_each(|path| order.next(path))
    }

    #[test]
    fn a_path_is_not_both_file_and_folder() {
        assert!(accept(&["a", "a/b"]).is_err());
        assert!(accept(&["a", "a.b", "a/b"]).is_err());
        assert!(accept(&["a", "a!", "a!!", "a.b/c", "a/b"]).is_err());
        accept(&["a", "a.b", "ab", "b/a", "b/a.x/y", "b/aa"]).unwrap();
    }

    #[test]
    fn order_is_kept() {
        assert!(accept(&["b", "a"]).is_err());
        assert!(accept(&["a", "a"]).is_err());
        accept(&["A", "a", "é"]).unwrap();
    }
}
