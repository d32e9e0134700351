//! `cairn up`: prepares the default environment, starts `cairn serve` in the background, and ends with a sign-in link.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    config::Config,
    service::{self, DataFolder, Running, build, tail},
};

/// How long the server may take to be ready.
const READY: Duration = Duration::from_mins(1);
/// How long an older server may take to end.
const END: Duration = Duration::from_secs(30);

/// Arguments of `cairn up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Runs the command. Safe to repeat: what runs already is reused, or replaced where this program is newer; servers and jobs go on.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = DataFolder::open(args.data_dir.as_deref())?;
    let config = Config::load(args.config.as_deref(), folder.path(), None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    runtime.block_on(prepare(&config, &folder))?;
    match folder.running() {
        Some(running) if running.build == build() => {
            say(format_args!("Cairn runs already at {}", running.url))?;
        }
        Some(running) => {
            say(format_args!(
                "Replacing the server by this newer build; what it runs goes on"
            ))?;
            end(&folder, &running)?;
            start(args, &folder)?;
        }
        None => start(args, &folder)?,
    }
    let link = runtime.block_on(link(&config, &folder))?;
    writeln!(io::stdout(), "Sign in: {link}")?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the default environment unless it is there, and shows how that goes.
async fn prepare(config: &Config, folder: &DataFolder) -> Result<()> {
    let environments = service::environments(config, folder.path())?;
    let spec = service::specs(config)?
        .remove("default")
        .context("the configuration names no environment `default`")?;
    if environments.state(&spec).await? != spawner::environments::State::Ready {
        say(format_args!(
            "Preparing the environment `default`: {}",
            spec.packages.join(", ")
        ))?;
    }
    environments
        .ensure(&spec)
        .await
        .context("the default environment cannot be built")?;
    Ok(())
}

fn start(args: &Args, folder: &DataFolder) -> Result<()> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.log())
        .context("the server's log cannot be opened")?;
    let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
    command.arg("serve").arg("--data-dir").arg(folder.path());
    if let Some(config) = &args.config {
        command.arg("--config").arg(config);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0);
    let mut child = command.spawn().context("the server cannot be started")?;
    let until = Instant::now() + READY;
    while !is_ready(folder) {
        gone(&mut child, folder)?;
        if Instant::now() > until {
            bail!(
                "the server is not ready after {} s; its log is {}",
                READY.as_secs(),
                folder.log().display()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn gone(child: &mut Child, folder: &DataFolder) -> Result<()> {
    if let Some(status) = child.try_wait()? {
        bail!(
            "the server ended at once ({status}). The end of its log, {}:\n{}",
            folder.log().display(),
            tail(&folder.log())
        );
    }
    Ok(())
}

/// Whether somebody serves the directory: the server writes that down after it listens.
fn is_ready(folder: &DataFolder) -> bool {
    folder
        .running()
        .is_some_and(|running| running.build == build())
}

/// Ends a server and waits for it.
pub(crate) fn end(folder: &DataFolder, running: &Running) -> Result<()> {
    let pid = i32::try_from(running.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("the server's process number is nonsense")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        .context("the server cannot be told to stop")?;
    let until = Instant::now() + END;
    while folder.running().is_some() {
        if Instant::now() > until {
            bail!(
                "the server (process {}) has not ended after {} s",
                running.pid,
                END.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A fresh sign-in link while no administrator has a password; else the address to sign in at.
async fn link(config: &Config, folder: &DataFolder) -> Result<String> {
    let db = service::open_db(config, folder).await?;
    let link = if storage::users::admin_has_password(&db).await? {
        format!("{}sign-in", config.public_url()?)
    } else {
        let admin = service::administrator(&db).await?;
        let link = service::sign_in_link(config, &db, &admin).await?;
        folder.keep_link(&link)?;
        link
    };
    db.close().await;
    Ok(link)
}

fn say(text: std::fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
