//! `cairn prepare`.

use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `cairn prepare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "this build has no server (data directory {:?})",
        args.data_dir
    )
}
