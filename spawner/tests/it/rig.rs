//! A runtime over temporary folders.

use std::path::{Path, PathBuf};

use spawner::conformance::Rig;
use spawner::{Config, ProcessRuntime};

/// A rig with what it stands on; dropping it stops what still runs.
pub(crate) struct Bench {
    pub(crate) rig: Rig,
    pub(crate) config: Config,
    pub(crate) folder: tempfile::TempDir,
}

impl std::ops::Deref for Bench {
    type Target = Rig;
    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl Bench {
    pub(crate) fn new(sandbox: bool) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sp")
            .tempdir()
            .expect("a folder");
        if !sandbox {
            // Without a sandbox the work needs the folders above its own.
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).expect("a mode");
        }
        let mut config = Config::new(folder.path().join("data/runs"), folder.path().join("s"));
        config.program = Some(program());
        config.sandbox = sandbox;
        config.hidden = vec![folder.path().join("data")];
        let runtime = ProcessRuntime::open(config.clone()).expect("a runtime");
        let later = config.clone();
        let shown = folder.path().join("shown");
        std::fs::create_dir(&shown).expect("a folder");
        let rig = Rig {
            runtime: Box::new(runtime),
            again: Box::new(move || {
                Box::new(ProcessRuntime::open(later.clone()).expect("a runtime"))
            }),
            folder: shown,
            uid_slot: Some(7),
            image: None,
        };
        Self {
            rig,
            config,
            folder,
        }
    }

    /// Whether the sandbox works here; says so if not.
    pub(crate) fn sandboxed() -> Option<Self> {
        let bench = Self::new(true);
        let found = spawner::probe(&bench.config);
        if !found.sandbox {
            eprintln!("skipped: {:?}", found.notes);
            return None;
        }
        Some(bench)
    }

    pub(crate) fn runs(&self) -> &Path {
        &self.config.runs
    }
}

pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_spawner-test-program").into()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
