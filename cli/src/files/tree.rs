//! A folder that files are put into by paths that somebody else chose. Nothing is written outside of it and no link in it is followed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::Context as _;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The folder, held open: it stays the same one whatever its path comes to mean.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    parts: OwnedFd,
    parts_name: String,
}

/// What is at a path now.
#[derive(Debug)]
pub(super) enum Present {
    /// Nothing.
    Nothing,
    /// A regular file.
    File(File),
    /// A link, a folder, or something that is not a file.
    Other,
}

impl Tree {
    /// Opens a folder, making it when it is not there. `name` tells apart what is fetched into it: parts of it wait in a folder of that name.
    pub(super) fn open(folder: &Path, name: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        // The folder itself may be a link: it is the person's own choice. What is in it may not.
        let root = rustix::fs::open(folder, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty());
        let root = root.with_context(|| format!("cannot open {}", folder.display()))?;
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let parts_name = format!(
            ".cairn-part-{}",
            if is_plain {
                &name[..name.len().min(16)]
            } else {
                "x"
            }
        );
        let parts = enter(root.as_fd(), &parts_name, true)
            .with_context(|| format!("cannot make {parts_name} in {}", folder.display()))?;
        Ok(Self {
            root,
            parts,
            parts_name,
        })
    }

    /// What is at a path, without following a link at any step.
    pub(super) fn look(&self, path: &str) -> io::Result<Present> {
        let (parent, name) = match self.parent(path, false) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Present::Nothing),
            Err(error) => return Err(error),
        };
        let stat = match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Present::Nothing),
            Err(error) => return Err(error.into()),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Present::Other);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&parent, name, flags, Mode::empty()) {
            Ok(file) => Ok(Present::File(file.into())),
            Err(Errno::LOOP) => Ok(Present::Other),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the part of a file that was fetched so far, for reading and appending; it may be empty.
    pub(super) fn part(&self, part: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::APPEND | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.parts, part, flags, Mode::from_raw_mode(0o600))?.into())
    }

    /// Puts a complete part in its place.
    ///
    /// # Errors
    /// `AlreadyExists` when something came to be there and `replace` is false.
    pub(super) fn place(
        &self,
        part: &str,
        path: &str,
        executable: bool,
        replace: bool,
    ) -> io::Result<()> {
        let (parent, name) = self.parent(path, true)?;
        let file = self.part(part)?;
        // Made private while it was incomplete; now as any new file.
        let mode = if executable { 0o777 } else { 0o666 };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & !umask()))?;
        if replace {
            return Ok(rustix::fs::renameat(&self.parts, part, &parent, name)?);
        }
        match rustix::fs::renameat_with(
            &self.parts,
            part,
            &parent,
            name,
            rustix::fs::RenameFlags::NOREPLACE,
        ) {
            // A file system that cannot: a link fails just so when something is there.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(&self.parts, part, &parent, name, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(&self.parts, part, AtFlags::empty())?)
            }
            other => Ok(other?),
        }
    }

    /// Forgets a part.
    pub(super) fn discard(&self, part: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.parts, part, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folder of parts, when nothing waits in it.
    pub(super) fn finish(self) {
        let _ = rustix::fs::unlinkat(&self.root, &self.parts_name, AtFlags::REMOVEDIR);
    }

    /// The folder that a path's last component is in, opened one component at a time.
    fn parent<'a>(&self, path: &'a str, make: bool) -> io::Result<(OwnedFd, &'a str)> {
        check(path)?;
        let mut at = rustix::fs::openat(&self.root, ".", FOLDER, Mode::empty())?;
        let mut rest = path;
        while let Some((folder, below)) = rest.split_once('/') {
            at = enter(at.as_fd(), folder, make)?;
            rest = below;
        }
        Ok((at, rest))
    }
}

/// Checks a path: relative, and every component a plain name.
pub(super) fn check(path: &str) -> io::Result<()> {
    let is_name =
        |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains('\0');
    if path.len() <= 4096 && path.split('/').all(is_name) && !path.starts_with(".cairn-part-") {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("the server gave the path {path:?}, which is not one to write to"),
    ))
}

/// BLAKE3 of all that a file holds, and its size.
pub(super) fn hash(file: &mut File) -> io::Result<(blake3::Hasher, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hasher, size)),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}

fn enter(parent: BorrowedFd<'_>, name: &str, make: bool) -> io::Result<OwnedFd> {
    if make {
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match rustix::fs::openat(parent, name, FOLDER, Mode::empty()) {
        Ok(fd) => Ok(fd),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{name:?} is a link or a file where a folder has to be"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// What new files of this process may not be. Reading it means setting it for a moment: to the strictest, so that a file that another thread makes
/// just then is at worst too private.
fn umask() -> u32 {
    static UMASK: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *UMASK.get_or_init(|| {
        let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
        rustix::process::umask(mask);
        mask.bits()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn put(tree: &Tree, path: &str, text: &str, replace: bool) -> io::Result<()> {
        tree.part("p")?.write_all(text.as_bytes())?;
        let result = tree.place("p", path, path == "run.sh", replace);
        tree.discard("p")?;
        result
    }

    #[test]
    fn files_land_where_they_belong() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(&folder.path().join("new/out"), "abc").unwrap();
        put(&tree, "a/b/c.txt", "1", false).unwrap();
        put(&tree, "run.sh", "2", false).unwrap();
        tree.finish();
        let read =
            |path| std::fs::read_to_string(folder.path().join("new/out").join(path)).unwrap();
        assert_eq!(
            (read("a/b/c.txt"), read("run.sh")),
            ("1".to_owned(), "2".to_owned())
        );
        let mode = std::fs::metadata(folder.path().join("new/out/run.sh"))
            .unwrap()
            .permissions()
            .mode();
        assert_ne!(mode & 0o100, 0, "an executable file stays one");
        let names: Vec<_> = std::fs::read_dir(folder.path().join("new/out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(&folder.path().join("out"), "abc").unwrap();
        let long = "x".repeat(256);
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a/.",
            "a/",
            "..",
            "a\0b",
            ".cairn-part-abc/x",
            &long,
        ] {
            assert!(put(&tree, path, "x", true).is_err(), "{path:?}");
            assert!(tree.look(path).is_err(), "{path:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_in_the_folder_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        let out = folder.path().join("out");
        let tree = Tree::open(&out, "abc").unwrap();
        symlink(&outside, out.join("folder")).unwrap();
        symlink(outside.join("kept"), out.join("file")).unwrap();
        assert!(put(&tree, "folder/new", "x", true).is_err());
        assert!(matches!(tree.look("file").unwrap(), Present::Other));
        assert!(put(&tree, "file", "x", false).is_err());
        put(&tree, "file", "x", true).unwrap();
        assert!(
            out.join("file").symlink_metadata().unwrap().is_file(),
            "the link was replaced, not followed"
        );
        assert_eq!(
            std::fs::read_to_string(outside.join("kept")).unwrap(),
            "kept"
        );
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_is_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path(), "abc").unwrap();
        put(&tree, "a", "old", false).unwrap();
        assert_eq!(
            put(&tree, "a", "new", false).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(
            std::fs::read_to_string(folder.path().join("a")).unwrap(),
            "old"
        );
        put(&tree, "a", "new", true).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("a")).unwrap(),
            "new"
        );
    }
}
