//! What all servers and jobs on this machine are given: JupyterLab's settings, the extension that it loads, and the Python package. Nothing of it
//! is secret.

use std::{
    borrow::Cow,
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rust_embed::RustEmbed;
use tempfile::NamedTempFile;

use super::home::make_folder;
use crate::{Error, Layout, Result};

/// What JupyterLab in a workspace begins with. A person's own settings win.
///
/// No question about news from elsewhere; Lab's own question at a lost server is replaced by the extension's notice, and its "Restart Server"
/// leads to `/hub/spawn/WORKSPACE/lab` in the app, which needs some name of a server.
const SETTINGS: &str = r#"{"hubServerName": "lab", "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true, "@jupyterlab/hub-extension:connectionlost": true}}"#;

/// The extension, built; absent in a program that was built without the front end.
#[derive(RustEmbed)]
#[folder = "../frontend/labextension/dist"]
#[allow_missing = true]
struct Extension;

#[derive(RustEmbed)]
#[folder = "../python/src"]
#[include = "*.py"]
struct Python;

/// Folders to mount, for every uid to read.
pub(crate) struct Provided {
    /// A folder of Jupyter's configuration.
    pub(crate) jupyter: PathBuf,
    /// Python packages.
    pub(crate) python: PathBuf,
}

/// Makes the folders what they should be. Cheap where they are.
pub(super) fn provide(layout: &Layout) -> Result<Provided> {
    let provided = Provided {
        jupyter: layout.root().join("jupyter"),
        python: layout.root().join("python"),
    };
    for (path, content) in files() {
        let (folder, path) = match path.strip_prefix("python/") {
            Some(path) => (&provided.python, path),
            None => (&provided.jupyter, path.as_str()),
        };
        write_shared(folder, path, &content)
            .map_err(|error| Error::internal("JupyterLab's settings cannot be written", error))?;
    }
    // A mount needs its source, also where the program has nothing to put into it.
    for folder in [&provided.jupyter, &provided.python] {
        make_folder(folder)
            .map_err(|error| Error::internal("JupyterLab's settings cannot be written", error))?;
    }
    Ok(provided)
}

/// Every file with its path.
fn files() -> impl Iterator<Item = (String, Cow<'static, [u8]>)> {
    let settings = (
        "labconfig/page_config.json".to_owned(),
        SETTINGS.as_bytes().into(),
    );
    let extension = Extension::iter().filter_map(|name| {
        let file = Extension::get(&name)?;
        Some((format!("labextensions/cairn-lab/{name}"), file.data))
    });
    let python = Python::iter().filter_map(|name| {
        let file = Python::get(&name)?;
        Some((format!("python/{name}"), file.data))
    });
    [settings].into_iter().chain(extension).chain(python)
}

/// Writes a file that everybody may read, whole or not at all; nothing is done where it is as it should be. Others may do the same at the same
/// time.
fn write_shared(folder: &Path, path: &str, content: &[u8]) -> io::Result<()> {
    let file = folder.join(path);
    if fs::read(&file).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    let parent = file.parent().unwrap_or(folder);
    make_folder(parent)?;
    let mut fresh = NamedTempFile::new_in(parent)?;
    fresh.write_all(content)?;
    open(fresh.path(), 0o444)?;
    fresh.persist(&file)?;
    let below = parent.ancestors().take_while(|one| one.starts_with(folder));
    below.into_iter().try_for_each(|one| open(one, 0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_provided_is_readable_by_every_uid_and_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let made = provide(&layout).unwrap();
        let place = |path: &str| match path.strip_prefix("python/") {
            Some(path) => made.python.join(path),
            None => made.jupyter.join(path),
        };
        let modified = || {
            let times = files().map(|(path, _)| fs::metadata(place(&path)).unwrap().modified());
            times.map(Result::unwrap).collect::<Vec<_>>()
        };
        let before = modified();
        assert!(before.len() > 5);
        for (path, content) in files() {
            let file = place(&path);
            assert_eq!(fs::read(&file).unwrap(), *content);
            for part in file.ancestors().take_while(|part| *part != folder.path()) {
                let bits = fs::metadata(part).unwrap().permissions().mode();
                assert_eq!(bits & 0o444, 0o444, "{} is for everybody", part.display());
            }
        }
        provide(&layout).unwrap();
        assert_eq!(modified(), before);
    }

    #[test]
    fn several_programs_may_provide_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| provide(&layout).unwrap());
            }
        });
        let python = layout.root().join("python/cairn");
        let names = fs::read_dir(python).unwrap().map(Result::unwrap);
        let left = names.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
        assert_eq!(left.count(), 0);
    }
}
