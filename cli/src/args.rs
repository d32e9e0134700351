//! The command tree. Each command's own arguments live beside its code.

use clap::{Parser, Subcommand};

use crate::{down, prepare, serve};

/// Notebooks that leave a trail.
#[derive(Debug, Parser)]
#[command(
    name = "cairn",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print the API's objects as JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `cairn` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service on this machine.
    Serve(serve::Args),
    /// Stop the service on this machine, with every server and job it runs.
    Down(down::Args),
    /// Make what a new installation needs: the data directory, the default environment, the example project.
    Prepare(prepare::Args),
}
