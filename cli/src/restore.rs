//! `cairn restore`: puts a backup into an empty data directory and an empty database.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use control::Layout;
use storage::{
    backup::{self, Incoming, Restored, Target},
    clock::System,
};

use crate::{
    clock,
    config::Config,
    output, progress,
    service::{self, DataFolder},
};

/// What a data directory must not have anything in.
const EMPTY: [&str; 7] = [
    "homes",
    "attempts",
    "runs",
    "runs-docker",
    "shelves",
    "mounted",
    service::WORKER_OF,
];

/// Arguments of `cairn restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that `cairn backup` made. `-`: standard input.
    #[arg(value_name = "F")]
    file: PathBuf,
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Where everything is to be kept: a directory that is empty, or has no more than a `cairn.toml` and a `secret_key`.
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
}

/// Restores the backup: all of it, or, when it is cut off, to where the same command goes on.
pub(crate) fn run(args: &Args, json: bool) -> Result<ExitCode> {
    let source = source(&args.file)?;
    let incoming = Incoming::open(source)
        .with_context(|| format!("{} cannot be restored", args.file.display()))?;
    let folder = DataFolder::open(args.data_dir.as_deref())?;
    let config = Config::load(args.config.as_deref(), folder.path(), None)?;
    let _lock = folder.lock()?;
    let marker = folder.path().join(service::RESTORING);
    if !backup::is_begun(&marker) {
        check_empty(folder.path())?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    let restored = runtime.block_on(restore(&config, &folder, marker, incoming))?;
    tell(&folder, &restored, json)?;
    Ok(ExitCode::SUCCESS)
}

async fn restore(
    config: &Config,
    folder: &DataFolder,
    marker: PathBuf,
    incoming: Incoming,
) -> Result<Restored> {
    let machine_id = incoming.header().machine_id;
    let target = Target {
        url: config.database_url(folder.path())?,
        clock: Arc::new(System),
        marker,
    };
    let begun = backup::begin(target, incoming).await?;
    let layout = Layout::new(folder.path());
    let store = service::open_store(config, &layout, begun.db().clone())
        .await
        .context("the object store cannot be opened")?;
    // Homes and jobs are recorded as being on it.
    if let Some(id) = machine_id {
        folder.write("machine-id", &format!("{id}\n"))?;
    }
    begun.fill(&store).await.context("it is not restored")
}

fn check_empty(data: &Path) -> Result<()> {
    for name in EMPTY {
        let path = data.join(name);
        let is_empty = match fs::read_dir(&path) {
            Ok(mut there) => there.next().is_none(),
            Err(_) => !path.exists(),
        };
        ensure!(
            is_empty,
            "{} is not empty: a backup is restored into a data directory that nothing was kept in. Give another --data-dir",
            path.display()
        );
    }
    Ok(())
}

fn source(path: &Path) -> Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let cannot = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(cannot)?;
    let length = file.metadata().with_context(cannot)?.len();
    let bar = progress::Bytes::new("restoring", length);
    Ok(Box::new(Shown { file, bar }))
}

/// A file that is read under a bar.
struct Shown {
    file: File,
    bar: progress::Bytes,
}

impl Read for Shown {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.add(read as u64);
        Ok(read)
    }
}

fn tell(folder: &DataFolder, restored: &Restored, json: bool) -> Result<()> {
    if json {
        return output::json(restored);
    }
    output::note(format!(
        "Restored to {} as it was at {}.",
        folder.path().display(),
        clock::iso(restored.header.created_ms)
    ));
    let settled = restored.settled;
    if settled.jobs + settled.workspaces > 0 {
        output::note(format!(
            "What ran then does not run any more: jobs: {}, workspaces: {}.",
            settled.jobs, settled.workspaces
        ));
    }
    if let Some(lost) = restored
        .totals
        .as_ref()
        .map(|totals| totals.lost)
        .filter(|lost| *lost > 0)
    {
        output::note(format!(
            "Objects that were lost when the backup was made: {lost}. `cairn data verify` tells what that concerns."
        ));
    }
    if settled.damaged > 0 {
        output::note(format!(
            "Versions, outputs and saved homes that lack files, and are marked as damaged: {}.",
            settled.damaged
        ));
    }
    output::note("Everybody signs in again. Start the server with `cairn serve` or `cairn up`.");
    Ok(())
}
