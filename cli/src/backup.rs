//! `cairn backup`: everything that the server keeps, as it is at one moment, in one file, while it runs.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use control::{
    Layout,
    backup::{SavedHomes, save_homes},
};
use serde_json::{Value, json};
use storage::backup::{self, Options, Output, Progress, Watch, Written};

use crate::{
    clock,
    config::Config,
    exit, output,
    progress::{self, Spinner},
    serve,
    service::{self, DataFolder},
};

/// The backup was made, and something that should be in it is not.
const INCOMPLETE: u8 = 3;

/// Arguments of `cairn backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to make, which must not be there yet; packed where its name ends in `.zst`. `-`: standard output.
    #[arg(value_name = "F")]
    file: PathBuf,
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
}

/// Makes the backup. Exits with 3 where something that should be in it is not.
pub(crate) fn run(args: &Args, json: bool) -> ExitCode {
    match make(args, json) {
        Ok(code) => code,
        // Not even whoever closed our output has had enough: the backup is not whole.
        Err(error) => {
            output::note(format!("cairn: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn make(args: &Args, json: bool) -> Result<ExitCode> {
    let place = Place::of(&args.file, json)?;
    let folder = DataFolder::find(args.data_dir.as_deref())?
        .context("no server keeps its data here: name its data directory with --data-dir")?;
    ensure!(
        folder.read(service::WORKER_OF)?.is_none(),
        "{} belongs to a worker: back up its server, which has the records and what is saved of homes",
        folder.path().display()
    );
    let config = Config::load(args.config.as_deref(), folder.path(), None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = write(&config, &folder, &place) => done,
            told = serve::told_to_stop() => {
                told?;
                bail!("it was stopped, and there is no backup")
            }
        }
    });
    // Work that cannot be stopped would be waited for.
    runtime.shutdown_background();
    let (written, homes) = done?;
    place.keep()?;
    // It is made, whoever hears of it.
    if let Err(error) = tell(&args.file, &written, &homes, json) {
        output::note(format!("cairn: {error:#}"));
    }
    let is_whole = written.totals.lost == 0 && homes.is_whole();
    Ok(if is_whole {
        ExitCode::SUCCESS
    } else {
        exit::code(INCOMPLETE)
    })
}

async fn write(
    config: &Config,
    folder: &DataFolder,
    place: &Place,
) -> Result<(Written, SavedHomes)> {
    let layout = Layout::new(folder.path());
    let store = service::open_beside(config, folder).await?;
    let machine_id = folder.read("machine-id")?;
    let machine_id = machine_id.map(|id| id.trim_end().parse()).transpose()?;
    let homes = {
        let spinner = Spinner::new();
        let tell = |name: &str| spinner.say(format!("saving the home of {name}"));
        save_homes(&store, &layout, machine_id, &tell).await?
    };
    let options = Options {
        machine_id,
        packed: place.is_packed(),
    };
    let written = backup::write(&store, place.output()?, options, watch()).await;
    store.db().close().await;
    Ok((written?, homes))
}

/// Shows how far it is, on a terminal.
fn watch() -> Watch {
    let bar = progress::Bytes::new("backing up", 0);
    Box::new(move |step| match step {
        Progress::Total(bytes) => bar.expect(bytes),
        Progress::Done(bytes) => bar.add(bytes),
    })
}

/// Where the backup goes. A file has another name until it is whole, and is removed where it does not become so.
enum Place {
    Stdout,
    /// A pipe, a tape: something that is there.
    Device(PathBuf, File),
    File {
        path: PathBuf,
        part: PathBuf,
        file: File,
    },
}

impl Place {
    fn of(path: &Path, json: bool) -> Result<Self> {
        if path == Path::new("-") {
            ensure!(
                !json,
                "--json needs a file to write the backup to: standard output would get both"
            );
            ensure!(
                !io::stdout().is_terminal(),
                "a backup is not for a terminal: name a file, or send standard output elsewhere"
            );
            return Ok(Self::Stdout);
        }
        let cannot = || format!("{} cannot be written", path.display());
        if let Ok(there) = fs::metadata(path) {
            let kind = there.file_type();
            if kind.is_fifo() || kind.is_char_device() {
                let file = OpenOptions::new().write(true).open(path);
                return Ok(Self::Device(path.to_owned(), file.with_context(cannot)?));
            }
            bail!(
                "{} is there already: give another name, or remove it first",
                path.display()
            );
        }
        let name = path.file_name().with_context(cannot)?.to_string_lossy();
        // Another backup may be on its way to the same name.
        let own = uuid::Uuid::new_v4().simple();
        let part = path.with_file_name(format!(".{name}.{own}.part"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .with_context(cannot)?;
        Ok(Self::File {
            path: path.to_owned(),
            part,
            file,
        })
    }

    fn is_packed(&self) -> bool {
        let (Self::Device(path, _) | Self::File { path, .. }) = self else {
            return false;
        };
        path.extension().is_some_and(|end| end == "zst")
    }

    fn output(&self) -> Result<Output> {
        Ok(match self {
            // Not through the buffer for lines.
            Self::Stdout => Box::new(File::from(rustix::io::dup(io::stdout())?)),
            Self::Device(_, file) | Self::File { file, .. } => Box::new(file.try_clone()?),
        })
    }

    /// Makes it durable, and gives it its name.
    fn keep(&self) -> Result<()> {
        let Self::File { path, part, file } = self else {
            return Ok(());
        };
        let keep = || {
            file.sync_all()?;
            // Not over one that came meanwhile.
            fs::hard_link(part, path).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                _ => fs::rename(part, path),
            })?;
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        keep().with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::File { part, .. } = self {
            // It has its other name, or is not whole.
            let _ = fs::remove_file(part);
        }
    }
}

fn tell(file: &Path, written: &Written, homes: &SavedHomes, json: bool) -> Result<()> {
    if json {
        let mut told = serde_json::to_value(written)?;
        told["file"] = Value::from(file.to_string_lossy());
        told["homes"] = json!(homes);
        return output::json(&told);
    }
    let rows: u64 = written.header.tables.iter().map(|table| table.rows).sum();
    output::note(format!(
        "{rows} records and {} of content are in the backup, with {} as they are now",
        output::bytes(written.totals.bytes),
        count(homes.saved, "home"),
    ));
    for home in &homes.older {
        let when = match home.saved_ms {
            Some(saved_ms) => format!("as it was saved at {}", clock::iso(saved_ms)),
            None => "not at all".to_owned(),
        };
        output::note(format!(
            "the home of {} is in it {when}: {}",
            home.name, home.why
        ));
    }
    for home in &homes.lacking {
        output::note(format!(
            "{} of the home of {} could not be read when it was saved, and so are not in it",
            count(home.files, "file"),
            home.name
        ));
    }
    if written.totals.lost > 0 {
        output::note(format!(
            "{} of what is in use could not be had from the store, or is damaged there, and is not in it: `cairn data verify` tells more",
            count(written.totals.lost, "object"),
        ));
    }
    Ok(())
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
