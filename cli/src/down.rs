//! `cairn down`: ends the server and, on purpose, everything that it runs.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result};

use crate::{
    config::Config,
    service::{self, DataFolder},
    up, worker,
};

/// Arguments of `cairn down`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Runs the command. Workspaces are stopped, jobs end as stopped with what they left kept. Fine where nothing runs.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = DataFolder::open(args.data_dir.as_deref())?;
    let config = Config::load(args.config.as_deref(), folder.path(), None)?;
    if let Some(running) = folder.running() {
        up::end(&folder, &running)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    if worker::is_one(&folder)? {
        runtime.block_on(worker::end(&config, &folder))?;
    } else {
        runtime.block_on(stop_work(&config, &folder))?;
    }
    writeln!(io::stderr(), "Cairn is stopped.")?;
    Ok(ExitCode::SUCCESS)
}

async fn stop_work(config: &Config, folder: &DataFolder) -> Result<()> {
    let _lock = folder.lock()?;
    let control = service::compose(config, folder).await?;
    control.stop_everything().await?;
    control.db().close().await;
    Ok(())
}
