//! One build: under a lock, in its final place (a virtual environment holds its own path), complete once its marker is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};

use super::EnvironmentSpec;
use super::interpreter::Uv;
use crate::error::Context;
use crate::{Error, Result, files, host};

const MARKER: &str = "cairn.json";
/// How much of the log goes into an error.
const TAIL_BYTES: u64 = 2000;

/// All that a build needs.
pub(super) struct Job {
    pub(super) uv: Uv,
    pub(super) path: PathBuf,
    pub(super) log: PathBuf,
    pub(super) interpreter: PathBuf,
    pub(super) spec: EnvironmentSpec,
}

/// Whether the environment can be used: built whole, and its interpreter still there.
pub(super) fn is_complete(path: &Path) -> bool {
    path.join(MARKER).is_file() && path.join("bin/python").exists()
}

/// Whether somebody is building it.
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    match File::open(lock_path(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            other => Ok(other.map(|()| false)?),
        },
    }
}

impl Job {
    /// Builds unless somebody else has meanwhile. Blocks for as long as that takes.
    pub(super) fn run(self) -> Result<()> {
        let failed = || format!("environment {} cannot be built", self.spec.name);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path(&self.path));
        let lock = lock.context(failed)?;
        flock(&lock, FlockOperation::LockExclusive).context(failed)?;
        if is_complete(&self.path) {
            return Ok(());
        }
        // What an interrupted build left.
        files::remove_all(&self.path).context(failed)?;
        let built = self.build();
        if built.is_err() {
            files::remove_all(&self.path).context(failed)?;
        }
        built
    }

    fn build(&self) -> Result<()> {
        let failed = || format!("environment {} cannot be built", self.spec.name);
        let mut log = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.log)
            .context(failed)?;
        let python = self.interpreter.display().to_string();
        let path = self.path.display().to_string();
        self.step(
            &mut log,
            &[
                "venv",
                "--no-project",
                "--python",
                &python,
                "--prompt",
                "cairn",
                &path,
            ],
        )?;
        let own = self.path.join("bin/python").display().to_string();
        // Links into uv's cache would be the installing user's files; copies are everybody's.
        let mut install = vec![
            "pip",
            "install",
            "--python",
            &own,
            "--link-mode",
            "copy",
            "--compile-bytecode",
            "--",
        ];
        install.extend(self.spec.packages.iter().map(String::as_str));
        if !self.spec.packages.is_empty() {
            self.step(&mut log, &install)?;
        }
        open_to_all(&self.path).context(failed)?;
        writeln!(log, "Ready.").context(failed)?;
        File::open(&self.path)
            .and_then(|f| host::sync_file_system(&f))
            .context(failed)?;
        files::write_json(&self.path.join(MARKER), &self.spec).context(failed)
    }

    /// Runs `uv`, its output going straight into the log.
    fn step(&self, log: &mut File, args: &[&str]) -> Result<()> {
        let failed = || format!("environment {} cannot be built", self.spec.name);
        writeln!(log, "$ uv {}", args.join(" ")).context(failed)?;
        let (out, err) = (
            log.try_clone().context(failed)?,
            log.try_clone().context(failed)?,
        );
        let mut command = self.uv.command();
        let status = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .status();
        if status.map_err(|e| self.uv.unusable(e))?.success() {
            return Ok(());
        }
        let message = tail(&self.log).unwrap_or_default();
        Err(Error::Build {
            name: self.spec.name.clone(),
            message,
        })
    }
}

fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// Lets every uid read, and execute what is a program.
fn open_to_all(path: &Path) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    let wanted = mode | 0o444 | if mode & 0o100 == 0 { 0 } else { 0o111 };
    if wanted != mode {
        fs::set_permissions(path, PermissionsExt::from_mode(wanted))?;
    }
    if meta.is_dir() {
        fs::read_dir(path)?.try_for_each(|entry| open_to_all(&entry?.path()))?;
    }
    Ok(())
}

/// The end of a log, for people; none if there is no log.
pub(crate) fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
