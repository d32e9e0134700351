//! JupyterLab's settings that all workspaces on this machine share, and the extension that they load.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::home::make_folder;
use crate::{Error, Layout, Result};

/// What JupyterLab in a workspace begins with, each file with its path in the folder. A person's own settings win.
///
/// No question about news from elsewhere; Lab's own question at a lost server is replaced by the extension's notice, and its "Restart Server"
/// leads to `/hub/spawn/WORKSPACE/lab` in the app, which needs some name of a server.
const FILES: [(&str, &str); 3] = [
    (
        "labconfig/page_config.json",
        r#"{"hubServerName": "lab", "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true, "@jupyterlab/hub-extension:connectionlost": true}}"#,
    ),
    (
        "labextensions/cairn-lab/package.json",
        include_str!("../../../../frontend/labextension/package.json"),
    ),
    (
        "labextensions/cairn-lab/static/remoteEntry.js",
        include_str!("../../../../frontend/labextension/static/remoteEntry.js"),
    ),
];

/// Makes the folder of JupyterLab's settings that all workspaces share, and returns it. It holds nothing secret.
pub(super) fn settings(layout: &Layout) -> Result<PathBuf> {
    let folder = layout.root().join("jupyter");
    for (path, text) in FILES {
        write_shared(&folder, path, text)
            .map_err(|error| Error::internal("JupyterLab's settings cannot be written", error))?;
    }
    Ok(folder)
}

/// Writes a file that everybody may read, whole or not at all; nothing is done where it is as it should be.
fn write_shared(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    let file = folder.join(path);
    if fs::read_to_string(&file).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    let parent = file.parent().unwrap_or(folder);
    make_folder(parent)?;
    let fresh = file.with_extension("new");
    fs::write(&fresh, text)?;
    open(&fresh, 0o444)?;
    fs::rename(&fresh, &file)?;
    let below = parent.ancestors().take_while(|one| one.starts_with(folder));
    below.into_iter().try_for_each(|one| open(one, 0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_settings_are_readable_by_every_uid_and_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let made = settings(&layout).unwrap();
        let modified = |path: &str| fs::metadata(made.join(path)).unwrap().modified().unwrap();
        let before = FILES.map(|(path, _)| modified(path));
        for (path, text) in FILES {
            let file = made.join(path);
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            for part in file.ancestors().take_while(|part| *part != folder.path()) {
                let bits = fs::metadata(part).unwrap().permissions().mode();
                assert_eq!(bits & 0o444, 0o444, "{} is for everybody", part.display());
            }
        }
        assert_eq!(settings(&layout).unwrap(), made);
        assert_eq!(FILES.map(|(path, _)| modified(path)), before);
    }
}
