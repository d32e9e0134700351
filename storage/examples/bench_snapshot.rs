//! Measures a snapshot of 5,000 files with one change against git, both until durable, on the same folder in turn.
//! Prints `name ours peer ratio goal` (milliseconds, medians of 9; ratio = peer / ours), or the same as JSON with `--json`.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::TryStreamExt;
use storage::ids::{ProjectId, UserId};
use storage::snapshot::Options;
use storage::{Db, Store, Tx, clock, fsck, manifest, projects, snapshot, snapshots, users};

const FOLDERS: usize = 50;
const FILES: usize = 100;
const TURNS: usize = 9;
/// Both count what was touched within this time before a capture as changed.
const SETTLE: Duration = Duration::from_millis(2500);

struct Bench {
    data: tempfile::TempDir,
    project: ProjectId,
    user: UserId,
    store: Store,
}

#[tokio::main]
async fn main() -> Result<()> {
    let bench = Bench::open(tempfile::tempdir()?).await?;
    let work = bench.data.path().join("work");
    plant(&work)?;
    git(&work, &["init", "-q"])?;
    tokio::time::sleep(SETTLE).await;
    bench.snapshot(&work).await?;
    write_tree(&work)?;

    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let mut last = String::new();
    for turn in 0..TURNS {
        let path = format!("folder-{:02}/file-{:03}.py", turn * 5, turn * 11);
        let content = format!("changed = {turn}\n");
        std::fs::write(work.join(&path), &content)?;
        // In turn first, so that neither always finds the caches warm.
        for first in [turn % 2 == 0, turn % 2 != 0] {
            let start = Instant::now();
            if first {
                last = bench.snapshot(&work).await?;
                ours.push(start.elapsed());
            } else {
                write_tree(&work)?;
                peer.push(start.elapsed());
            }
        }
        bench.holds(&last, &path, &content).await?;
    }
    bench.verify(&last, &work).await?;
    report(median(ours), median(peer));
    Ok(())
}

impl Bench {
    async fn open(data: tempfile::TempDir) -> Result<Self> {
        let store = open(data.path()).await?;
        let work = |mut tx: Tx| async move {
            let new = users::NewUser {
                name: "bench".into(),
                display_name: String::new(),
                admin: false,
            };
            let user = users::create(&mut tx, &new).await?.id;
            Ok((user, projects::create(&mut tx, "bench", "", user).await?.id))
        };
        let (user, project) = store.db().write(work).await?;
        Ok(Self {
            data,
            project,
            user,
            store,
        })
    }

    /// Everything until a snapshot's record is durable; returns its manifest digest.
    async fn snapshot(&self, work: &Path) -> Result<String> {
        let pending =
            snapshot::take(&self.store, work, Options::new(self.project).index("bench")).await?;
        let (pending_ref, project, user) = (&pending, self.project, self.user);
        let record = |mut tx: Tx| async move {
            pending_ref.record(&mut tx).await?;
            snapshots::create(
                &mut tx,
                &pending_ref.captured().snapshot(project, user, None),
            )
            .await
        };
        let made = self.store.db().write(record).await?;
        pending.recorded();
        Ok(made.manifest_digest)
    }

    async fn holds(&self, digest: &str, path: &str, content: &str) -> Result<()> {
        holds(&self.store, digest, path, content).await
    }

    /// Opens everything again and checks all of it, ours and git's.
    async fn verify(&self, digest: &str, work: &Path) -> Result<()> {
        self.store.db().close().await;
        let store = open(self.data.path()).await?;
        let report = fsck::check(&store, fsck::Mode::Full).await?;
        ensure!(
            report.is_sound(),
            "the store is damaged: {:?}",
            report.findings
        );
        let summary = manifest::summary(&store, digest.parse()?)
            .await?
            .context("the last snapshot is there")?;
        ensure!(
            summary.files == (FOLDERS * FILES) as u64,
            "the last snapshot has every file"
        );
        holds(&store, digest, "folder-40/file-088.py", "changed = 8\n").await?;
        git(work, &["fsck", "--no-dangling"])
    }
}

async fn open(data: &Path) -> Result<Store> {
    let db = Db::open(
        &Db::sqlite_url(&data.join("cairn.db"))?,
        clock::System::shared(),
    )
    .await?;
    Ok(Store::open(&data.join("store"), db).await?)
}

async fn holds(store: &Store, digest: &str, path: &str, content: &str) -> Result<()> {
    let read = manifest::read(store, digest.parse()?, path, None)
        .await?
        .context("the changed file is there")?;
    let chunks: Vec<_> = read.body.try_collect().await?;
    ensure!(
        chunks.concat() == content.as_bytes(),
        "the snapshot holds the change"
    );
    Ok(())
}

fn plant(work: &Path) -> Result<()> {
    for folder in 0..FOLDERS {
        let folder = work.join(format!("folder-{folder:02}"));
        std::fs::create_dir_all(&folder)?;
        for file in 0..FILES {
            let line = format!("# {} {file}\n", folder.display());
            std::fs::write(
                folder.join(format!("file-{file:03}.py")),
                line.repeat(10 + file),
            )?;
        }
    }
    Ok(())
}

fn write_tree(work: &Path) -> Result<()> {
    git(work, &["-c", "core.fsync=all", "add", "-A"])?;
    git(work, &["-c", "core.fsync=all", "write-tree"])
}

fn git(work: &Path, args: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command
        .args(args)
        .current_dir(work)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command
        .status()
        .context("git is needed for the comparison")?;
    if !status.success() {
        bail!("git {args:?} failed: {status}");
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn report(ours: f64, peer: f64) {
    let (name, ratio, goal) = ("snapshot_5000_files_1_change_ms", peer / ours, 1.0);
    if std::env::args().any(|arg| arg == "--json") {
        let line = serde_json::json!({"name": name, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal});
        println!("{line}");
    } else {
        println!("{name} {ours:.2} {peer:.2} {ratio:.2} {goal:.2}");
    }
}
