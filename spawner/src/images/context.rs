//! A folder that an image is built from: checked, named by its content, and read a piece at a time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::error::Context as _;
use crate::{Error, Result};

const MAX_ENTRIES: usize = 50_000;
const MAX_BYTES: u64 = 8 << 30;
/// Folders that hold no sources, and what the builder adds itself.
const LEFT_OUT: &[&str] = &[".git", ".cairn", ".ipynb_checkpoints", "__pycache__"];

/// The files of a folder as they were when it was read.
#[derive(Clone)]
pub(super) struct Context {
    root: PathBuf,
    entries: Vec<Entry>,
    digest: String,
}

#[derive(Clone)]
struct Entry {
    /// Within the folder.
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Folder,
    File {
        bytes: u64,
        executable: bool,
        hash: blake3::Hash,
    },
    Link(PathBuf),
}

impl Context {
    /// Reads a folder. Blocks for as long as its files take to hash.
    ///
    /// # Errors
    /// `Invalid` for links that lead out of it, for what is neither file, folder nor link, and for too much of it.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        walk(root, Path::new(""), &mut entries, &mut bytes)?;
        let mut hasher = blake3::Hasher::new();
        for entry in &entries {
            let line = match &entry.kind {
                Kind::Folder => serde_json::json!([entry.path, "folder"]),
                Kind::File {
                    executable, hash, ..
                } => {
                    serde_json::json!([entry.path, executable, hash.to_hex().as_str()])
                }
                Kind::Link(target) => serde_json::json!([entry.path, "link", target]),
            };
            hasher.update(line.to_string().as_bytes());
            hasher.update(b"\n");
        }
        Ok(Self {
            root: root.to_owned(),
            entries,
            digest: hasher.finalize().to_hex().to_string(),
        })
    }

    /// Names the content.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Writes every file as it was when the folder was read. Blocks.
    pub(super) fn write(&self, tar: &mut tar::Builder<impl Write>) -> io::Result<()> {
        let root = File::open(&self.root)?;
        for entry in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            match &entry.kind {
                Kind::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(0o755);
                    header.set_size(0);
                    tar.append_data(&mut header, &entry.path, io::empty())?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, &entry.path, target)?;
                }
                Kind::File {
                    bytes,
                    executable,
                    hash,
                } => {
                    header.set_mode(if *executable { 0o755 } else { 0o644 });
                    header.set_size(*bytes);
                    let mut file = Hashed {
                        file: open(&root, &entry.path)?.take(*bytes),
                        hasher: blake3::Hasher::new(),
                    };
                    tar.append_data(&mut header, &entry.path, &mut file)?;
                    if file.hasher.finalize() != *hash {
                        let path = entry.path.display();
                        return Err(io::Error::other(format!("{path} changed meanwhile")));
                    }
                }
            }
        }
        Ok(())
    }
}

struct Hashed<R> {
    file: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

fn walk(root: &Path, below: &Path, entries: &mut Vec<Entry>, bytes: &mut u64) -> Result<()> {
    let folder = root.join(below);
    let failed = || format!("{} cannot be read", folder.display());
    let mut names: Vec<_> = fs::read_dir(&folder)
        .context(failed)?
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<io::Result<_>>()
        .context(failed)?;
    names.sort();
    for name in names {
        if LEFT_OUT.iter().any(|l| name == *l) {
            continue;
        }
        let path = below.join(name);
        if entries.len() >= MAX_ENTRIES {
            return Err(Error::Invalid(format!(
                "the folder holds more than {MAX_ENTRIES} files"
            )));
        }
        if path.to_str().is_none() {
            return Err(Error::Invalid(format!(
                "the file name {} is not text",
                path.display()
            )));
        }
        let meta = fs::symlink_metadata(root.join(&path)).context(failed)?;
        let kind = kind(root, &path, &meta)?;
        if let Kind::File { bytes: more, .. } = &kind {
            *bytes += more;
        }
        if *bytes > MAX_BYTES {
            return Err(Error::Invalid(format!(
                "the folder holds more than {} GB",
                MAX_BYTES >> 30
            )));
        }
        entries.push(Entry {
            path: path.clone(),
            kind,
        });
        if meta.is_dir() {
            walk(root, &path, entries, bytes)?;
        }
    }
    Ok(())
}

fn kind(root: &Path, path: &Path, meta: &fs::Metadata) -> Result<Kind> {
    let failed = || format!("{} cannot be read", path.display());
    if meta.is_dir() {
        Ok(Kind::Folder)
    } else if meta.is_symlink() {
        let target = fs::read_link(root.join(path)).context(failed)?;
        check_link(path, &target)?;
        Ok(Kind::Link(target))
    } else if meta.is_file() {
        let root = File::open(root).context(failed)?;
        let mut hasher = blake3::Hasher::new();
        let file = open(&root, path).context(failed)?;
        hasher
            .update_reader(file.take(meta.len()))
            .context(failed)?;
        Ok(Kind::File {
            bytes: meta.len(),
            executable: meta.permissions().mode() & 0o100 != 0,
            hash: hasher.finalize(),
        })
    } else {
        Err(Error::Invalid(format!(
            "{} is neither a file nor a folder",
            path.display()
        )))
    }
}

/// A small text file within a folder, reached through no link.
pub(super) fn text(root: &Path, path: &Path) -> Result<String> {
    const MAX: u64 = 1 << 20;
    let mut text = String::new();
    let read = File::open(root).and_then(|root| {
        let file = open(&root, path)?;
        if file.metadata()?.is_file() {
            file.take(MAX).read_to_string(&mut text)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    });
    match read {
        Ok(_) => Ok(text),
        Err(e) => Err(Error::Invalid(format!(
            "{} is not a text file of the project: {e}",
            path.display()
        ))),
    }
}

/// A link may lead anywhere within the folder.
fn check_link(path: &Path, target: &Path) -> Result<()> {
    let mut depth = path.components().count() - 1;
    let within = target.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => depth.checked_sub(1).is_some_and(|up| {
            depth = up;
            true
        }),
        Component::RootDir | Component::Prefix(_) => false,
    });
    if within {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the link {} leads out of the folder, to {}",
        path.display(),
        target.display()
    )))
}

/// Opens a file within the folder, whatever has become of the path since it was seen.
#[cfg(target_os = "linux")]
fn open(root: &File, path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?.into())
}

/// As above, but for links in the folders on the way.
#[cfg(not(target_os = "linux"))]
fn open(root: &File, path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    Ok(openat(root, path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(context: &Context) -> Vec<String> {
        let mut builder = tar::Builder::new(Vec::new());
        context.write(&mut builder).unwrap();
        let bytes = builder.into_inner().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let name =
            |e: io::Result<tar::Entry<'_, &[u8]>>| e.unwrap().path().unwrap().display().to_string();
        archive.entries().unwrap().map(name).collect()
    }

    #[test]
    fn the_content_names_it_and_nothing_else() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&a, &b] {
            fs::create_dir(folder.path().join("src")).unwrap();
            fs::create_dir(folder.path().join(".git")).unwrap();
            fs::write(folder.path().join("src/x.py"), "x").unwrap();
            symlink("src/x.py", folder.path().join("link")).unwrap();
        }
        let (one, two) = (
            Context::read(a.path()).unwrap(),
            Context::read(b.path()).unwrap(),
        );
        assert_eq!(one.digest(), two.digest());
        assert_eq!(names(&one), ["link", "src", "src/x.py"]);
        fs::write(b.path().join("src/x.py"), "y").unwrap();
        assert_ne!(one.digest(), Context::read(b.path()).unwrap().digest());
    }

    #[test]
    fn links_out_of_the_folder_and_odd_files_are_refused() {
        for target in ["/etc/passwd", "../x", "a/../../x"] {
            let folder = tempfile::tempdir().unwrap();
            symlink(target, folder.path().join("link")).unwrap();
            let refused = Context::read(folder.path()).err().unwrap().to_string();
            assert!(refused.contains("leads out"), "{refused}");
        }
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        assert!(matches!(
            Context::read(folder.path()),
            Err(Error::Invalid(_))
        ));
    }

    #[test]
    fn a_projects_file_is_reached_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/x"), "here").unwrap();
        symlink("/etc", folder.path().join("out")).unwrap();
        symlink("/etc/hostname", folder.path().join("file")).unwrap();
        assert_eq!(text(folder.path(), Path::new("a/x")).unwrap(), "here");
        for path in ["out/hostname", "file", "../x", "/etc/hostname", "a", "none"] {
            assert!(text(folder.path(), Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn what_changes_while_it_is_sent_ends_the_build() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs::write(&file, "as it was").unwrap();
        let context = Context::read(folder.path()).unwrap();
        fs::write(&file, "otherwise").unwrap();
        assert!(context.write(&mut tar::Builder::new(Vec::new())).is_err());
        fs::remove_file(&file).unwrap();
        symlink("/etc/hostname", &file).unwrap();
        assert!(context.write(&mut tar::Builder::new(Vec::new())).is_err());
    }
}
