//! `cairn serve`: composes storage, spawner, control and gateway, and runs them until told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `cairn serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on; default 127.0.0.1:8000.
    #[arg(long, value_name = "A")]
    pub(crate) listen: Option<String>,
}

/// Runs the service in the foreground.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        config,
        data_dir,
        listen,
    } = args;
    anyhow::bail!(
        "this build has no server (config {config:?}, data directory {data_dir:?}, listen {listen:?})"
    )
}
