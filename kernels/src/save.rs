//! Writes a file so that a reader sees either the old or the new one, whole. Knows nothing of notebooks.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` with `text` through a new file in the same folder, which never stays behind.
///
/// With `durable` the text is on the disk when this returns.
pub(crate) fn replace(path: &Path, text: &str, durable: bool) -> io::Result<()> {
    replace_with(path, durable, |file| file.write_all(text.as_bytes()))
}

/// As [`replace`], with what `fill` writes.
pub(crate) fn replace_with(
    path: &Path,
    durable: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = beside(path)?;
    let written = write(&temporary, durable, fill).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
        return written;
    }
    if durable {
        File::open(folder(path))?.sync_all()?;
    }
    Ok(())
}

fn write(
    path: &Path,
    durable: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut buffer = BufWriter::new(made);
    fill(&mut buffer)?;
    let written = buffer.into_inner()?;
    if durable {
        written.sync_all()?;
    }
    Ok(())
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"))?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    // A long name still leaves room: most file systems take 255 bytes.
    let short: String = name.to_string_lossy().chars().take(40).collect();
    Ok(folder(path).join(format!(".{short}.{}.tmp", &id[..12])))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::{replace, replace_with};

    #[test]
    fn nothing_stays_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ipynb");
        replace(&path, "one", false).unwrap();
        replace(&path, "two", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_save_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir_all(path.join("inside")).unwrap();
        replace(&path, "text", false).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        replace(&folder.path().join("missing/a"), "text", false).unwrap_err();
        let path = folder.path().join("cut");
        replace_with(&path, false, |file| {
            file.write_all(b"half")?;
            Err(std::io::ErrorKind::Other.into())
        })
        .unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
