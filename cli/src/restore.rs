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
    backup::{self, AbsentHome, Incoming, Restored, Target},
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
    let cannot = || format!("{} cannot be restored", args.file.display());
    let incoming = Incoming::open(source).with_context(cannot)?;
    let data = args.data_dir.as_deref();
    // Where nobody ever served it there is nothing to lock, and nothing is made before it is known that the backup may be restored there.
    let served = DataFolder::find(data)?;
    let lock = served.map(|folder| folder.lock()).transpose()?;
    let place = DataFolder::place(data)?;
    let target = target(args, &place)?;
    if !backup::is_begun(&target.marker) {
        check_empty(&place)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    let check = backup::check(&target, &incoming);
    runtime.block_on(check).with_context(cannot)?;
    let folder = DataFolder::open(data)?;
    let _lock = lock.map_or_else(|| folder.lock(), Ok)?;
    let restored = runtime.block_on(restore(&folder, target, incoming));
    tell(&folder, &restored.with_context(cannot)?, json)?;
    Ok(ExitCode::SUCCESS)
}

fn target(args: &Args, data: &Path) -> Result<Target> {
    let config = Config::load(args.config.as_deref(), data, None)?;
    Ok(Target {
        url: config.database_url(data)?,
        clock: Arc::new(System),
        store: Layout::new(data).store(),
        kept: config.kept_in()?,
        marker: data.join(service::RESTORING),
    })
}

async fn restore(folder: &DataFolder, target: Target, incoming: Incoming) -> Result<Restored> {
    let machine_id = incoming.header().machine_id;
    let begun = backup::begin(target, incoming).await?;
    // Homes and jobs are recorded as being on it.
    if let Some(id) = machine_id {
        folder.write("machine-id", &format!("{id}\n"))?;
    }
    Ok(begun.fill().await?)
}

fn check_empty(data: &Path) -> Result<()> {
    for name in EMPTY {
        let path = data.join(name);
        let is_empty = match fs::read_dir(&path) {
            Ok(mut there) => there.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            // Not a folder.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
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
    let settled = &restored.settled;
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
    for home in &settled.homes {
        output::note(absent(home));
    }
    output::note("Everybody signs in again. Start the server with `cairn serve` or `cairn up`.");
    Ok(())
}

/// What is to be known of a home before its workspace starts.
fn absent(home: &AbsentHome) -> String {
    let name = &home.name;
    let saved = home.saved_ms.map(clock::iso);
    match (&home.machine, saved) {
        (Some(machine), Some(saved)) => format!(
            "The home of {name} lies on {machine}, and is in the backup as it was saved at {saved}. It comes from there once that worker is back."
        ),
        (Some(machine), None) => format!(
            "The home of {name} lies on {machine}, and is not in the backup: without that worker it cannot be had."
        ),
        (None, _) => format!(
            "The home of {name} was never saved, and is not in the backup: the workspace begins with an empty one."
        ),
    }
}
