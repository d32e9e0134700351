//! What the conformance suite stands on: a runtime, specs for it, and ways to wait for what it does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::LONG;
use crate::log::Stream;
use crate::{Exit, Handle, Phase, Runtime, Spec, Status};

/// What a suite needs from the runtime that it is run against.
pub struct Rig {
    /// The runtime.
    pub runtime: Box<dyn Runtime>,
    /// Opens it again over the same folders, as a later process would.
    pub again: Box<dyn Fn() -> Box<dyn Runtime> + Send + Sync>,
    /// A folder on this machine that work may be shown.
    pub folder: PathBuf,
    /// See [`Spec::uid_slot`].
    pub uid_slot: Option<u32>,
    /// See [`Spec::image`].
    pub image: Option<String>,
}

impl Rig {
    /// A spec that runs `script` in a shell.
    pub fn shell(&self, id: &str, script: &str) -> Spec {
        self.command(id, &["sh", "-c", script])
    }

    /// A spec that runs a command.
    pub fn command(&self, id: &str, argv: &[&str]) -> Spec {
        let path = ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
        Spec {
            id: id.to_owned(),
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            env: BTreeMap::from([path]),
            cwd: "/".into(),
            uid_slot: self.uid_slot,
            image: self.image.clone(),
            ..Spec::default()
        }
    }

    /// Starts a spec.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn start(&self, spec: Spec) -> Handle {
        self.runtime.start(spec).await.expect("it starts")
    }

    /// Waits for a status.
    ///
    /// # Panics
    /// If it does not come within a minute, or the run ends first.
    pub async fn until(&self, handle: &Handle, fits: impl Fn(&Status) -> bool) -> Status {
        let follow = async {
            let mut now = self
                .runtime
                .status(handle)
                .await
                .expect("it can be asked")
                .expect("it exists");
            while !fits(&now) {
                let output = self.output(handle).await;
                assert_ne!(now.phase, Phase::Exited, "it ended: {now:?}\n{output}");
                now = self
                    .runtime
                    .changed(handle, &now)
                    .await
                    .expect("it can be followed");
            }
            now
        };
        tokio::time::timeout(LONG, follow)
            .await
            .expect("the status comes within a minute")
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not come within a minute.
    pub async fn end(&self, handle: &Handle) -> Exit {
        self.until(handle, |s| s.phase == Phase::Exited)
            .await
            .exit
            .expect("an exited run has an exit")
    }

    /// Waits until the log has this line of the work's own.
    ///
    /// # Panics
    /// If it does not come within a minute.
    pub async fn line(&self, handle: &Handle, line: &str) {
        let mut seen = self
            .runtime
            .status(handle)
            .await
            .expect("it can be asked")
            .expect("it exists");
        while !self.output(handle).await.lines().any(|l| l == line) {
            assert_ne!(
                seen.phase,
                Phase::Exited,
                "it ended without {line:?}: {seen:?}\n{}",
                self.output(handle).await
            );
            let next = tokio::time::timeout(LONG, self.runtime.changed(handle, &seen)).await;
            seen = next
                .expect("the line comes within a minute")
                .expect("it can be followed");
        }
    }

    /// All that the work has written so far.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub async fn output(&self, handle: &Handle) -> String {
        let (mut text, mut offset) = (Vec::new(), 0);
        loop {
            let chunk = self
                .runtime
                .read_log(handle, offset, 1 << 20)
                .await
                .expect("the log can be read");
            for record in chunk.records().filter(|r| r.stream != Stream::System) {
                text.extend(record.text);
                text.extend((!record.partial).then_some(b'\n'));
            }
            if chunk.bytes.is_empty() {
                return String::from_utf8_lossy(&text).into_owned();
            }
            offset = chunk.next;
        }
    }

    pub(super) async fn gone(&self, handle: &Handle) {
        self.runtime
            .remove(handle)
            .await
            .expect("an exited run can be removed");
    }
}
