//! The hidden command `cairn enter -- COMMAND…`: reads the job's token into the environment and becomes the command.

use std::ffi::OsString;

/// Arguments of `cairn enter`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command; this program itself where its first word is `cairn:self`.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}
