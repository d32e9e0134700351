//! Chooses the Python that an environment is built on: one that every uid can execute where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde::Deserialize;

use crate::capabilities::open_to_all;
use crate::error::Context;
use crate::{Error, Result};

/// The oldest minor version that today's packages still support.
const OLDEST: (u32, u32) = (3, 10);
/// Folders that every run sees anyway.
const SYSTEM: &[&str] = &["/usr", "/opt", "/bin", "/nix/store"];

/// A Python on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// Its file, links followed.
    pub(super) program: PathBuf,
    pub(super) version: String,
    /// What a run must be shown for it to work.
    pub(super) folders: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Listed {
    version: String,
    path: Option<PathBuf>,
    #[serde(default)]
    implementation: String,
    #[serde(default)]
    variant: String,
}

/// The program `uv`, and what it is told.
#[derive(Clone, Debug)]
pub(super) struct Uv {
    pub(super) program: PathBuf,
    /// Where environments lie; what it fetches besides is kept there, where every run may see it.
    pub(super) dir: PathBuf,
    /// Certificate authorities that it trusts.
    pub(super) authorities: Option<Arc<Path>>,
}

impl Uv {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("UV_PYTHON_INSTALL_DIR", self.dir.join("python"))
            .env("UV_NO_PROGRESS", "1")
            .env_remove("VIRTUAL_ENV");
        if let Some(bundle) = &self.authorities {
            command.env("SSL_CERT_FILE", &**bundle);
        }
        command.arg("--no-config").current_dir("/");
        command
    }

    pub(super) fn unusable(&self, e: std::io::Error) -> Error {
        Error::unavailable(format!("{} cannot be executed", self.program.display()), e)
    }
}

/// Finds a Python; lets `uv` fetch one if there is none that fits.
pub(super) fn find(uv: &Uv, version: Option<&str>) -> Result<Interpreter> {
    if let Some(found) = best(uv, version)? {
        return Ok(found);
    }
    let wanted = version.unwrap_or("3.12");
    let output = uv.command().args(["python", "install", wanted]).output();
    let output = output.map_err(|e| uv.unusable(e))?;
    if let Some(found) = best(uv, version)? {
        return Ok(found);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Invalid(format!(
        "there is no Python {wanted} on this machine, and none could be fetched: {message}"
    )))
}

fn best(uv: &Uv, version: Option<&str>) -> Result<Option<Interpreter>> {
    let mut command = uv.command();
    command.args([
        "python",
        "list",
        "--only-installed",
        "--no-python-downloads",
        "--output-format",
        "json",
    ]);
    let output = command.args(version).output().map_err(|e| uv.unusable(e))?;
    if !output.status.success() {
        return Ok(None);
    }
    let listed: Vec<Listed> = serde_json::from_slice(&output.stdout)
        .context(|| "uv's list of Pythons cannot be read".to_owned())?;
    let fits = |l: &Listed| {
        l.implementation == "cpython"
            && l.variant == "default"
            && numbers(&l.version) >= (OLDEST.0, OLDEST.1, 0)
    };
    let found = listed
        .into_iter()
        .filter(|l| version.is_some() || fits(l))
        .filter_map(resolve);
    Ok(found.max_by_key(|i| (open_to_all(&i.program), numbers(&i.version))))
}

/// Wrappers such as pyenv's shims are scripts; only real programs count.
fn resolve(listed: Listed) -> Option<Interpreter> {
    let output = Command::new(listed.path?)
        .args(["-I", "-c", "import os, sys; print(os.path.realpath(sys.executable)); print(os.path.realpath(sys.base_prefix))"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines().map(PathBuf::from);
    let (program, prefix) = (fs::canonicalize(lines.next()?).ok()?, lines.next()?);
    let shown = |p: &Path| SYSTEM.iter().any(|s| p.starts_with(s));
    let folders = if shown(&program) && shown(&prefix) {
        Vec::new()
    } else {
        vec![prefix]
    };
    Some(Interpreter {
        program,
        version: listed.version,
        folders,
    })
}

fn numbers(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split('.').map(|p| {
        p.bytes()
            .take_while(u8::is_ascii_digit)
            .fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    });
    (
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
    )
}
